/*
 * The camera lock, the requests for it and the hand-over, between two snapshot workers and the streaming daemon, as the
 * code has them. tests/model/run checks it with spin.
 *
 *   Streamd   CameraController and CameraLifecycle, policy.waits_for_lock and .retries   (core/camera)
 *   Worker    the same, policy.yields, with StillCapture's demand                        (core/camera, fcgi)
 *   Asker     Stills::get                                                                (fcgi/stills.cpp)
 *   owner     CameraLock: flock, which the kernel drops with the process that dies
 *   the words CameraRequests' kEvent, kCameraRequest, kStillRequest: "remember the value, look at the world, wait until
 *             it has changed" is here a flag for each who waits, cleared when it remembers and set by every signal
 *
 * The steps of the worker, and where they stand:
 *   camera_request, still_request remembered    CameraController::tryLock, before the lock is tried
 *   makes_way                                   … isCameraRequested(), the same
 *   take, else REFUSED                          … CameraLock::tryTake, CameraLifecycle::lockHeldElsewhere
 *   yields: REFUSED, give, signalEvent          CameraController::close: report(), closeSource()
 *
 * A picture counts as of now while the stream runs (`fresh`), or when it was captured since the asker came (`shared`).
 * TIMEOUTS are the looks after 250 and 500 ms: they exist because a process that is killed sends no signal. Deadlines of
 * requests are left out, so that "served" means with a picture.
 *
 * A worker that has seen a request makes way: it takes the camera no more until whoever requested it has it (in the
 * code: for 250 ms, in which a process that waits for an event has long been woken).
 *
 * A camera that stalls is closed, and its lock released and taken again at once, without a word to whoever asks
 * (CameraLifecycle::closed): another may be quicker, and then whoever asks is refused as at any other time.
 *
 * KILLS=n lets the holder of the camera be killed n times, STALLS=n the camera stall n times; ONE_WORKER leaves the second
 * worker out. The mutations, each of which must be found:
 *   LATE_WORDS    the worker remembers the request only after it has taken the lock
 *   LATE_EVENT    the asker remembers the event only after the camera was refused
 *   LATE_ANSWER   the worker refuses whoever asks only after it has released the camera, and said so
 *   NO_WAY        a worker that released the camera may take it back before the one who requested it
 *   UNLOCK_FIRST  the lock is released before the camera is closed
 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef STALLS
#define STALLS 0
#endif
#define STREAMD 2 /* the workers are 0 and 1 */
#define NOBODY 3

byte owner = NOBODY;
byte inside = 0; /* who has the camera open */
bool event[3];
bool camera_request[2];
bool still_request[2];
bool fresh = false;
bool shared[2];
bool makes_way[2];
bool viewers = true;
bool wanting = false; /* streamd waits for the lock */
bool asking[2];
byte kills = KILLS;
byte stalls = STALLS;

#define NONE 0
#define PENDING 1
#define CAPTURED 2
#define REFUSED 3
byte ask[2];

inline signalEvent() { d_step { event[0] = true; event[1] = true; event[STREAMD] = true } }
inline signalStill() { d_step { still_request[0] = true; still_request[1] = true } }
inline take(who)
{
    atomic { owner == NOBODY -> owner = who; inside++; assert(inside == 1) }
}
inline give()
{
#ifdef UNLOCK_FIRST
    owner = NOBODY;
    inside--
#else
    d_step { inside--; owner = NOBODY }
#endif
}

inline waitEvent(who)
{
    if
    :: event[who]
#ifdef TIMEOUTS
    :: true
#endif
    fi
}

proctype Streamd()
{
end_idle:
    do
    :: viewers ->
        wanting = true;
        do
        :: event[STREAMD] = false;
            if
            :: take(STREAMD);
                wanting = false;
                break
            :: owner != NOBODY ->
                d_step {
                    camera_request[0] = true;
                    camera_request[1] = true;
                    still_request[0] = true;
                    still_request[1] = true
                };
                waitEvent(STREAMD)
            fi
        od;
        do
        :: viewers -> fresh = true; signalEvent()
        :: !viewers -> fresh = false; give(); signalEvent(); break
        :: kills > 0 -> d_step { kills--; fresh = false; inside--; owner = NOBODY }; break
        :: stalls > 0 -> d_step { stalls--; fresh = false }; give(); signalEvent(); break
        od
    od
}

proctype Worker(byte w)
{
end_idle:
    do
#ifndef NO_WAY
    :: ask[w] == PENDING && makes_way[w] && wanting -> ask[w] = REFUSED
    :: makes_way[w] && !wanting -> makes_way[w] = false
#endif
#ifndef LATE_WORDS
    :: ask[w] == PENDING && camera_request[w] ->
        d_step {
            camera_request[w] = false;
#ifndef NO_WAY
            makes_way[w] = true
#endif
        }
    :: ask[w] == PENDING && !makes_way[w] && !camera_request[w] ->
#else
    :: ask[w] == PENDING && !makes_way[w] ->
#endif
        still_request[w] = false;
        if
        :: take(w);
#ifdef LATE_WORDS
            camera_request[w] = false;
#endif
            do
            :: camera_request[w] ->
                d_step {
                    camera_request[w] = false;
#ifndef NO_WAY
                    makes_way[w] = true
#endif
                };
#ifndef LATE_ANSWER
                if
                :: ask[w] == PENDING -> ask[w] = REFUSED
                :: else
                fi;
#endif
                give();
                signalEvent();
#ifdef LATE_ANSWER
                if
                :: ask[w] == PENDING -> ask[w] = REFUSED
                :: else
                fi;
#endif
                break
            :: !camera_request[w] && (ask[w] == PENDING || still_request[w]) ->
                d_step {
                    still_request[w] = false;
                    shared[0] = true;
                    shared[1] = true;
                    if
                    :: ask[w] == PENDING -> ask[w] = CAPTURED
                    :: else
                    fi
                };
                signalEvent()
            :: !camera_request[w] && ask[w] != PENDING && !still_request[w] -> /* the linger is over */
                give();
                signalEvent();
                break
            :: stalls > 0 -> stalls--; give(); signalEvent(); break
            :: kills > 0 -> /* its asker dies with it; the viewer asks again */
                d_step {
                    kills--;
                    inside--;
                    owner = NOBODY;
                    makes_way[w] = false;
                    if
                    :: ask[w] == PENDING -> ask[w] = REFUSED
                    :: else
                    fi
                };
                break
            od
        :: owner != NOBODY -> ask[w] = REFUSED
        fi
    od
}

proctype Asker(byte w)
{
end_nobody:
    do
    :: true ->
        d_step { asking[w] = true; shared[w] = false };
        do
        :: fresh -> break
        :: !fresh ->
#ifndef LATE_EVENT
            event[w] = false;
#endif
            ask[w] = PENDING;
            if
            :: ask[w] == CAPTURED -> ask[w] = NONE; break
            :: ask[w] == REFUSED -> ask[w] = NONE
            fi;
#ifdef LATE_EVENT
            event[w] = false;
#endif
            if
            :: fresh || shared[w] -> break
            :: else -> signalStill(); waitEvent(w)
            fi
        od;
        asking[w] = false
    od
}

/* Viewers come and go a few times, or there is always one. For ever, they could close the camera each time before its
 * first frame, so that nobody would have a picture. */
proctype Viewers()
{
    byte changes = 5;
    do
    :: changes > 0 -> changes--; viewers = !viewers
    :: changes == 0 -> break
    od
}

init {
    atomic {
        run Streamd();
        run Worker(0);
        run Asker(0);
#ifndef ONE_WORKER
        run Worker(1);
        run Asker(1);
#endif
#ifdef COME_AND_GO
        run Viewers()
#endif
    }
}

ltl stills { [] (asking[0] -> <> !asking[0]) }
ltl stream { [] (wanting -> <> !wanting) }
