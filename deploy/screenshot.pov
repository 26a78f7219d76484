// The garden of README.md's picture, for POV-Ray 3.7: povray +Ideploy/screenshot.pov +W1280 +H960 +A0.3 gives a still; with a
// sensor's noise, as a clip (camera.source = "replay"), it is what the page there shows.
#version 3.7;
#include "colors.inc"
#include "woods.inc"
#include "textures.inc"
global_settings { assumed_gamma 1.0 max_trace_level 6 radiosity { count 60 error_bound 0.6 recursion_limit 1 brightness 0.9 } }
camera { location <-3.1, 2.35, -6.6> look_at <0.75, 1.35, 2> angle 58 right x*4/3 aperture 0.09 focal_point <-1.7,1.8,-0.3> blur_samples 24 confidence 0.9 variance 1/128 }
light_source { <-40, 34, -28> rgb <1.55, 1.25, 0.92>*1.2 area_light <4,0,0>, <0,4,0>, 4, 4 adaptive 1 jitter }
sky_sphere { pigment { gradient y color_map { [0 rgb <0.93, 0.82, 0.70>] [0.25 rgb <0.62, 0.74, 0.88>] [1 rgb <0.28, 0.46, 0.74>] } scale 1 }
  pigment { bozo turbulence 0.7 color_map { [0 rgbt <1,1,1,1>] [0.55 rgbt <1,1,1,1>] [0.8 rgbt <1,0.96,0.9,0.35>] } scale <0.35,0.12,0.35> } }
// The lawn: blades.
plane { y, 0 texture { pigment { bozo turbulence 0.6 color_map { [0 rgb <0.07,0.15,0.03>] [1 rgb <0.12,0.22,0.05>] } scale 0.6 } normal { bumps 0.6 scale 0.06 } } }
#declare R = seed(7);
#declare Blade = triangle { <-0.018,0,0>, <0.018,0,0>, <0.03,0.2,0.05> };
#for (I, 1, 26000)
  #declare D = pow(rand(R), 0.8)*20 - 8.2; #declare X = (rand(R)-0.5)*(14+D*0.9);
  #declare P = X + 3.6 - 0.55*sin(D*0.45);
  #if (abs(X - 2.15 - 0.6*sin(D*0.42)) > 0.72)
    object { Blade rotate y*rand(R)*360 scale <1, 0.5+rand(R)*0.7, 1> translate <X,0,D> pigment { rgb <0.16+rand(R)*0.1, 0.30+rand(R)*0.16, 0.06+rand(R)*0.03> } }
  #end
#end
// The path.
#for (I, 0, 21)
  #declare Z = -8 + I*0.78;
  superellipsoid { <0.35,0.3> rotate x*90 scale <0.56+rand(R)*0.08, 0.05, 0.3> rotate y*(rand(R)-0.5)*16 translate <2.15+0.6*sin(Z*0.42), 0.03, Z>
    texture { pigment { granite color_map { [0 rgb <0.42,0.39,0.35>] [1 rgb <0.62,0.58,0.52>] } scale 0.4 } normal { granite 0.25 scale 0.3 } } }
#end
// The fence.
#declare Board = union { box { <-0.085,0,-0.015>, <0.085,1.45,0.015> } prism { 0,0.03,4 <-0.085,0>,<0.085,0>,<0,0.12>,<-0.085,0> rotate x*-90 translate <0,1.45,0.015> } }
#for (I, 0, 110)
  object { Board rotate z*(rand(R)-0.5)*1.6 scale <1,1+rand(R)*0.03,1> translate <-8.6+I*0.235, 0, 6.3>
    texture { pigment { wood turbulence 0.12 color_map { [0 rgb <0.36,0.25,0.16>*(0.75+rand(R)*0.35)] [1 rgb <0.52,0.38,0.26>] } rotate x*88 scale 0.07 translate I } } }
#end
box { <-8.8,0.4,6.32>, <18,0.5,6.38> pigment { rgb <0.33,0.23,0.15> } } box { <-8.8,1.1,6.32>, <18,1.2,6.38> pigment { rgb <0.33,0.23,0.15> } }
// The shed, with a door and a window.
union {
  difference { box { <0,0,0>, <3.6,2.5,2.6> } box { <2.15,1.05,-0.1>, <3.1,1.85,0.1> } }
  texture { pigment { gradient y color_map { [0 rgb <0.30,0.36,0.38>] [0.93 rgb <0.42,0.49,0.50>] [0.94 rgb <0.16,0.19,0.2>] [1 rgb <0.2,0.24,0.25>] } scale 0.21 } normal { gradient y 0.5 slope_map { [0 <0,0.3>] [0.93 <1,0.3>] [0.94 <0,0>] [1 <0,0>] } scale 0.21 } }
  translate <3.3,0,2.6>
}
box { <5.45,1.05,2.66>, <6.4,1.85,2.68> pigment { rgb <0.12,0.15,0.18> } finish { reflection 0.35 specular 0.6 } }
#for (I, 0, 1) box { <5.43+I*0.48,1.03,2.56>, <5.5+I*0.48,1.87,2.62> pigment { rgb 0.85 } } box { <5.43,1.03+I*0.4,2.56>, <6.42,1.08+I*0.4,2.62> pigment { rgb 0.85 } } #end
box { <6.37,1.03,2.56>, <6.44,1.87,2.62> pigment { rgb 0.85 } } box { <5.43,1.82,2.56>, <6.44,1.88,2.62> pigment { rgb 0.85 } }
box { <3.75,0.04,2.55>, <4.75,2.05,2.62> texture { pigment { wood color_map { [0 rgb <0.45,0.12,0.09>] [1 rgb <0.52,0.16,0.11>] } rotate x*90 scale 0.1 } } }
sphere { <4.62,1.02,2.5>, 0.045 pigment { rgb <0.8,0.7,0.4> } finish { specular 0.9 reflection 0.3 } }
prism { 0,3,5 <-0.35,2.42>,<1.8,3.5>,<3.95,2.42>,<3.95,2.56>,<-0.35,2.56> rotate x*-90 scale <1,1,-1> translate <3.3,0,2.4>
  texture { pigment { brick rgb <0.16,0.08,0.06>, rgb <0.33,0.16,0.12> scale 0.03 } } }
// A tree, a bush, flowers.
cone { <-4.6,0,3.4>, 0.32, <-4.4,2.6,3.5>, 0.18 texture { pigment { granite color_map { [0 rgb <0.17,0.12,0.08>] [1 rgb <0.33,0.25,0.17>] } scale <0.2,1.4,0.2> } normal { bumps 0.8 scale <0.05,0.4,0.05> } } }
#declare Leaf = disc { 0, <0.3,1,0.2>, 0.085 scale <1,1,0.6> }
#for (I, 1, 9000)
  #declare T = rand(R)*2*pi; #declare U = acos(2*rand(R)-1); #declare Q = pow(rand(R),0.28);
  object { Leaf rotate <rand(R)*360,rand(R)*360,rand(R)*360> translate <-4.4+1.9*Q*sin(U)*cos(T), 3.75+1.35*Q*cos(U), 3.5+1.7*Q*sin(U)*sin(T)>
    pigment { rgb <0.20+rand(R)*0.22, 0.34+rand(R)*0.14, 0.06> } finish { ambient 0.06 } }
#end
#for (I, 1, 3600)
  #declare T = rand(R)*2*pi; #declare U = acos(rand(R)); #declare Q = pow(rand(R),0.3);
  object { Leaf scale 0.75 rotate <rand(R)*360,rand(R)*360,rand(R)*360> translate <-0.6+1.15*Q*sin(U)*cos(T), 0.05+0.85*Q*cos(U), 5.2+0.7*Q*sin(U)*sin(T)>
    pigment { rgb <0.12+rand(R)*0.08, 0.28+rand(R)*0.12, 0.08> } }
#end
#for (I, 1, 90)
  sphere { 0, 0.07+rand(R)*0.03 scale <1,0.6,1> translate <-7.2+rand(R)*5.6, 0.24+rand(R)*0.22, 5.2+rand(R)*0.7>
    pigment { #switch (mod(I,3)) #case (0) rgb <0.86,0.2,0.25> #break #case (1) rgb <0.95,0.78,0.18> #break #else rgb <0.75,0.5,0.85> #end } }
#end
// The neighbours' trees.
#for (I, 1, 60)
  #declare S = 1.6+rand(R)*1.7;
  #declare TX = -24+I*0.95+rand(R);
  #declare TZ = 11+rand(R)*7;
  blob { threshold 0.5
    #for (J, 1, 26) sphere { <(rand(R)-0.5)*2, 0.6+rand(R)*1.9, (rand(R)-0.5)*2>*S*0.6, 0.5*S, 1 } #end
    translate <TX,0,TZ> texture { pigment { bozo turbulence 1 color_map { [0 rgb <0.05,0.11,0.03>] [0.5 rgb <0.13,0.21,0.05>] [1 rgb <0.25,0.31,0.08>] } scale 0.16 } normal { bumps 1.6 scale 0.09 } } }
#end
// The feeder, and a robin on it.
cylinder { <-1.9,0,-0.2>, <-1.9,1.55,-0.2>, 0.045 texture { pigment { wood color_map { [0 rgb <0.3,0.2,0.12>] [1 rgb <0.42,0.3,0.2>] } rotate x*90 scale 0.05 } } }
union { box { <-0.5,0,-0.4>, <0.5,0.05,0.4> } box { <-0.5,0.05,-0.4>, <-0.46,0.12,0.4> } box { <0.46,0.05,-0.4>, <0.5,0.12,0.4> } box { <-0.5,0.05,0.36>, <0.5,0.12,0.4> }
  cylinder { <-0.44,0,0.34>, <-0.44,0.75,0.34>, 0.025 } cylinder { <0.44,0,0.34>, <0.44,0.75,0.34>, 0.025 } cylinder { <-0.44,0,-0.34>, <-0.44,0.75,-0.34>, 0.025 } cylinder { <0.44,0,-0.34>, <0.44,0.75,-0.34>, 0.025 }
  translate <-1.9,1.55,-0.2> texture { pigment { wood turbulence 0.1 color_map { [0 rgb <0.42,0.28,0.16>] [1 rgb <0.58,0.42,0.27>] } rotate z*90 scale 0.06 } } }
prism { -0.52,0.52,5 <-0.62,0>,<0,0.42>,<0.62,0>,<0.62,-0.05>,<-0.62,-0.05> rotate x*-90 translate <-1.9,2.3,-0.2> texture { pigment { rgb <0.23,0.14,0.10> } normal { wrinkles 0.3 scale 0.1 } } }
#for (I, 1, 160) sphere { <-2.3+rand(R)*0.8,1.61,-0.5+rand(R)*0.6>, 0.012+rand(R)*0.012 pigment { rgb <0.75,0.62,0.35>*(0.5+rand(R)*0.6) } } #end
union {
  sphere { 0, 0.13 scale <1.25,1,1> pigment { rgb <0.36,0.29,0.2> } } sphere { <-0.06,0,-0.02>, 0.118 scale <1.1,1,1.02> pigment { rgb <0.82,0.36,0.12> } } sphere { <-0.06,-0.07,0>, 0.08 pigment { rgb <0.86,0.82,0.75> } }
  sphere { <-0.12,0.13,0>, 0.088 pigment { rgb <0.38,0.31,0.22> } } sphere { <-0.155,0.115,-0.01>, 0.07 pigment { rgb <0.85,0.38,0.13> } }
  cone { <-0.2,0.13,0>, 0.018, <-0.265,0.12,0>, 0 pigment { rgb 0.12 } } sphere { <-0.165,0.16,-0.06>, 0.016 pigment { rgb 0.02 } finish { specular 1 } }
  prism { 0,0.03,4 <0.08,-0.05>,<0.36,-0.02>,<0.36,0.03>,<0.08,0.05> translate <0,0.02,0> rotate z*12 pigment { rgb <0.3,0.24,0.17> } }
  cylinder { <-0.02,-0.1,-0.03>, <-0.03,-0.22,-0.03>, 0.008 pigment { rgb <0.4,0.28,0.2> } } cylinder { <0.02,-0.1,0.03>, <0.01,-0.22,0.03>, 0.008 pigment { rgb <0.4,0.28,0.2> } }
  rotate y*-28 translate <-1.75,1.83,-0.42>
}
