// view.js: where the picture lies after keys, buttons, the wheel and fingers.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Page } from './page.mjs';

const page = new Page();
const { View } = await import('../../html/view.js');
const kWidth = 800;
const kHeight = 400;
const kLeft = 50; // of the stage in the window
const kTop = 20;

describe('View', () => {
  let stage;
  let picture;
  let view;
  let resized;
  const open = () => {
    page.open();
    globalThis.ResizeObserver = class {
      constructor(call) { resized = call; }
      observe() {}
    };
    picture = { style: {} };
    stage = Object.assign(new EventTarget(), {
      clientWidth: kWidth,
      clientHeight: kHeight,
      classes: new Set(),
      classList: { toggle: (name, on) => (on ? stage.classes.add(name) : stage.classes.delete(name)) },
      getBoundingClientRect: () => ({ left: kLeft, top: kTop, width: stage.clientWidth, height: stage.clientHeight }),
      setPointerCapture() {},
    });
    view = new View(stage, [picture]);
  };
  beforeEach(() => {
    page.storage.clear();
    open();
  });

  // {x, y, zoom, mirror, turn}, as the style says.
  const lies = () => {
    const [, x, y, zoom, mirror, turn] = /^translate\(-50%, -50%\) translate\((\S+)px, (\S+)px\) scale\((\S+)\) scaleX\((\S+)\) rotate\((\S+)deg\)$/
      .exec(picture.style.transform);
    return { x: Number(x), y: Number(y), zoom: Number(zoom), mirror: mirror === '-1', turn: Number(turn) };
  };
  const close = (one, other) => assert.ok(Math.abs(one - other) < 1e-6, `${one}, not ${other}`);
  const fire = (type, fields) => {
    const event = Object.assign(new Event(type, { cancelable: true }), { clientX: 0, clientY: 0, pointerId: 1, pointerType: 'touch', button: 0, ...fields });
    if ('at' in fields) Object.defineProperty(event, 'timeStamp', { value: fields.at });
    stage.dispatchEvent(event);
    return event;
  };
  const wheel = (deltaY, clientX, clientY) => fire('wheel', { deltaY, clientX, clientY });
  const tap = (at, clientX = 450, clientY = 220) => {
    fire('pointerdown', { at, clientX, clientY });
    fire('pointerup', { at: at + 20, clientX, clientY });
  };
  // The place on the unzoomed picture, from its middle, that lies under a place of the window.
  const under = (clientX, clientY) => {
    const { x, y, zoom } = lies();
    return [(clientX - kLeft - kWidth / 2 - x) / zoom, (clientY - kTop - kHeight / 2 - y) / zoom];
  };

  test('whole, upright and not moved to begin with', () => {
    assert.deepEqual(lies(), { x: 0, y: 0, zoom: 1, mirror: false, turn: 0 });
    assert.deepEqual([picture.style.width, picture.style.height, picture.style.objectFit], ['800px', '400px', 'contain']);
    assert.ok(!stage.classes.has('zoomed'));
  });

  test('turned by quarters: sideways it takes the stage\'s other side; four are none', () => {
    const { turn } = view.actions;
    for (const [degrees, width, height] of [[90, 400, 800], [180, 800, 400], [270, 400, 800], [0, 800, 400]]) {
      turn.action();
      assert.equal(lies().turn, degrees);
      assert.deepEqual([picture.style.width, picture.style.height], [`${width}px`, `${height}px`]);
    }
  });

  test('mirrored and filling: the button says so', () => {
    const pressed = {};
    for (const id of ['mirror', 'fill']) page.document.elements[id] = { setAttribute: (name, value) => { pressed[`${id} ${name}`] = value; } };
    view.actions.mirror.action();
    view.actions.fill.action();
    assert.ok(lies().mirror);
    assert.equal(picture.style.objectFit, 'cover');
    assert.deepEqual(pressed, { 'mirror aria-pressed': 'true', 'fill aria-pressed': 'true' });
    view.actions.mirror.action();
    view.actions.fill.action();
    assert.ok(!lies().mirror);
    assert.equal(picture.style.objectFit, 'contain');
    assert.deepEqual(pressed, { 'mirror aria-pressed': 'false', 'fill aria-pressed': 'false' });
  });

  test('turn, mirror and fill are remembered, the zoom is not', () => {
    view.actions.turn.action();
    view.actions.mirror.action();
    view.actions.fill.action();
    view.keys['+']();
    open();
    assert.deepEqual(lies(), { x: 0, y: 0, zoom: 1, mirror: true, turn: 90 });
    assert.equal(picture.style.objectFit, 'cover');
  });

  test('what cannot be remembered, or is nonsense, is nothing', () => {
    for (const kept of ['{', '{"turn":45,"mirror":"yes","fill":1}', 'null']) {
      page.storage.setItem('picam.view', kept);
      open();
      assert.deepEqual(lies(), { x: 0, y: 0, zoom: 1, mirror: false, turn: 0 }, kept);
      assert.equal(picture.style.objectFit, 'contain');
    }
  });

  test('zooms between one and eight, by the same step there and back', () => {
    view.keys['+']();
    close(lies().zoom, 1.25);
    assert.ok(stage.classes.has('zoomed'));
    view.keys['=']();
    view.keys['-']();
    close(lies().zoom, 1.25);
    for (let i = 0; i < 20; ++i) view.keys['+']();
    assert.equal(lies().zoom, 8);
    for (let i = 0; i < 20; ++i) view.keys['-']();
    assert.equal(lies().zoom, 1);
    assert.ok(!stage.classes.has('zoomed'));
    view.keys['+']();
    view.keys[0]();
    assert.equal(lies().zoom, 1);
  });

  test('the wheel zooms at its place: what lies under it stays', () => {
    for (const [x, y] of [[600, 100], [100, 400], [450, 220]]) {
      const before = under(x, y);
      assert.ok(wheel(-3, x, y).defaultPrevented, 'the page does not scroll');
      under(x, y).forEach((place, i) => close(place, before[i]));
    }
    close(lies().zoom, 1.25 ** 3);
    wheel(7, 450, 220);
    close(lies().zoom, 1.25 ** 2);
  });

  test('the stage stays covered, wherever the picture is moved, and when the stage shrinks', () => {
    for (let i = 0; i < 3; ++i) view.keys['+']();
    const { zoom } = lies();
    for (let i = 0; i < 50; ++i) view.keys.ArrowLeft();
    close(lies().x, kWidth * (zoom - 1) / 2);
    for (let i = 0; i < 50; ++i) view.keys.ArrowDown();
    close(lies().y, -kHeight * (zoom - 1) / 2);
    view.keys.ArrowRight();
    close(lies().x, kWidth * (zoom - 1) / 2 - 0.15 * kWidth);
    view.keys.ArrowUp();
    close(lies().y, -kHeight * (zoom - 1) / 2 + 0.15 * kHeight);
    for (let i = 0; i < 50; ++i) view.keys.ArrowLeft();
    stage.clientWidth = 200;
    resized();
    close(lies().x, 200 * (zoom - 1) / 2);
    view.keys[0]();
    assert.deepEqual([lies().x + 0, lies().y + 0], [0, 0]);
  });

  test('a double tap zooms in at its place, another one out; a slow, a distant and a dragged one do not', () => {
    tap(1000);
    tap(1400);
    assert.equal(lies().zoom, 1, 'too slow');
    tap(2000, 100, 100);
    tap(2100, 200, 100);
    assert.equal(lies().zoom, 1, 'apart');
    fire('pointerdown', { at: 3000, clientX: 300, clientY: 200 });
    fire('pointermove', { clientX: 350, clientY: 200 });
    fire('pointerup', {});
    tap(3100, 300, 200);
    assert.equal(lies().zoom, 1, 'dragged');
    const before = under(550, 240);
    tap(4000, 550, 240);
    tap(4100, 550, 240);
    assert.equal(lies().zoom, 2.5);
    under(550, 240).forEach((place, i) => close(place, before[i]));
    tap(4200, 550, 240);
    assert.equal(lies().zoom, 2.5, 'a third tap is the first of the next two');
    tap(4300, 550, 240);
    assert.equal(lies().zoom, 1);
  });

  test('one finger moves a zoomed picture and no other; a mouse\'s second button nothing', () => {
    const drag = (fields = {}) => {
      fire('pointerdown', { at: 1000, clientX: 400, clientY: 200, ...fields });
      fire('pointermove', { clientX: 440, clientY: 190, ...fields });
      fire('pointerup', fields);
    };
    drag();
    assert.deepEqual([lies().x, lies().y], [0, 0]);
    for (let i = 0; i < 4; ++i) view.keys['+']();
    drag({ pointerType: 'mouse', button: 2 });
    assert.deepEqual([lies().x, lies().y], [0, 0]);
    drag();
    assert.deepEqual([lies().x, lies().y], [40, -10]);
    fire('pointermove', { clientX: 700, clientY: 200 }); // no finger is down
    assert.deepEqual([lies().x, lies().y], [40, -10]);
  });

  test('what two fingers hold stays under them; their distance zooms, and they are no tap', () => {
    const x = kLeft + kWidth / 2;
    const y = kTop + kHeight / 2;
    fire('pointerdown', { at: 1000, pointerId: 1, clientX: x - 50, clientY: y });
    fire('pointerdown', { at: 1010, pointerId: 2, clientX: x + 50, clientY: y });
    fire('pointermove', { pointerId: 1, clientX: x - 100, clientY: y });
    fire('pointermove', { pointerId: 2, clientX: x + 100, clientY: y });
    close(lies().zoom, 2);
    close(lies().x, 0);
    fire('pointerup', { pointerId: 2 });
    fire('pointercancel', { pointerId: 1 });
    tap(1100, x - 50, y);
    close(lies().zoom, 2);
  });

  describe('a place of the window is a place of the picture', () => {
    const kPictureWidth = 640;
    const kPictureHeight = 480;
    // Where the style puts a place of the picture: what a browser does, written down anew.
    const shownAt = (u, v) => {
      const { x, y, zoom, mirror, turn } = lies();
      const [width, height] = [parseFloat(picture.style.width), parseFloat(picture.style.height)];
      const ratios = [width / kPictureWidth, height / kPictureHeight];
      const scale = picture.style.objectFit === 'cover' ? Math.max(...ratios) : Math.min(...ratios);
      const [px, py] = [(u - 0.5) * kPictureWidth * scale, (v - 0.5) * kPictureHeight * scale];
      const angle = (turn * Math.PI) / 180;
      const turned = [px * Math.cos(angle) - py * Math.sin(angle), px * Math.sin(angle) + py * Math.cos(angle)];
      return {
        clientX: kLeft + kWidth / 2 + x + zoom * turned[0] * (mirror ? -1 : 1),
        clientY: kTop + kHeight / 2 + y + zoom * turned[1],
      };
    };
    const holds = (what) => {
      for (const [u, v] of [[0.5, 0.5], [0.1, 0.2], [0.9, 0.3], [0.25, 0.95]]) {
        const place = view.toPicture(shownAt(u, v));
        close(place.x, u, what);
        close(place.y, v, what);
      }
    };
    beforeEach(() => Object.assign(picture, { width: kPictureWidth, height: kPictureHeight }));

    test('turned, mirrored, filling and zoomed, in every combination', () => {
      for (let turn = 0; turn < 4; ++turn) {
        for (let mirror = 0; mirror < 2; ++mirror) {
          for (let fill = 0; fill < 2; ++fill) {
            holds();
            wheel(-1, 500, 100);
            wheel(-1, 500, 100);
            holds();
            view.keys[0]();
            view.actions.fill.action();
          }
          view.actions.mirror.action();
        }
        view.actions.turn.action();
      }
    });

    test('by hand: whole, turned by a quarter, and mirrored', () => {
      // 640x480 whole on 800x400 is 533x400, from 133 on.
      assert.deepEqual(view.toPicture({ clientX: kLeft + 400, clientY: kTop + 200 }), { x: 0.5, y: 0.5 });
      close(view.toPicture({ clientX: kLeft + 400, clientY: kTop + 100 }).y, 0.25);
      view.actions.turn.action(); // clockwise: what was on the left is on top now
      close(view.toPicture({ clientX: kLeft + 400, clientY: kTop + 100 }).x, 0.25);
      close(view.toPicture({ clientX: kLeft + 430, clientY: kTop + 200 }).y, 0.5 - 30 / 300);
      view.actions.mirror.action();
      close(view.toPicture({ clientX: kLeft + 430, clientY: kTop + 200 }).y, 0.5 + 30 / 300);
    });

    test('nowhere beside the picture, without one, and on what is hidden', () => {
      assert.equal(view.toPicture({ clientX: kLeft + 100, clientY: kTop + 200 }), null);
      picture.hidden = true;
      assert.equal(view.toPicture({ clientX: kLeft + 400, clientY: kTop + 200 }), null);
      Object.assign(picture, { hidden: false, width: 0 });
      assert.equal(view.toPicture({ clientX: kLeft + 400, clientY: kTop + 200 }), null);
    });

    test('taps point, two of them as well; drags, pinches and places beside the picture do not', () => {
      const places = [];
      view.point = (place) => places.push(place);
      assert.ok(stage.classes.has('pointing'));
      tap(1000);
      tap(1100);
      assert.deepEqual(places, [{ x: 0.5, y: 0.5 }, { x: 0.5, y: 0.5 }]);
      assert.equal(lies().zoom, 1);
      tap(2000, kLeft + 10);
      fire('pointerdown', { at: 3000, clientX: 400, clientY: 200 });
      fire('pointermove', { clientX: 450, clientY: 200 });
      fire('pointerup', { clientX: 450, clientY: 200 });
      fire('pointerdown', { at: 4000, pointerId: 1, clientX: 400, clientY: 200 });
      fire('pointerdown', { at: 4010, pointerId: 2, clientX: 500, clientY: 200 });
      fire('pointerup', { pointerId: 1, clientX: 400, clientY: 200 });
      fire('pointerup', { pointerId: 2, clientX: 500, clientY: 200 });
      assert.equal(places.length, 2);
      view.point = null;
      assert.ok(!stage.classes.has('pointing'));
      tap(5000);
      assert.equal(places.length, 2);
    });
  });
});
