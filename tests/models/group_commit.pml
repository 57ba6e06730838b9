/* Group commit with failure, as src/commit/committer.cc does it.
 *
 * WRITERS threads append once or twice each. Appends share frames; one thread leads, and may let a
 * second frame go out beside its own. A write succeeds, or fails with its bytes there or not.
 * Shown for every interleaving: an append is acknowledged only when its frame and all before it are
 * durable, none after a failure, and every appender is answered (else pan finds an invalid end).
 * What the mutex guards is one atomic step. A crash at any moment leaves the durable frames, so
 * that the first of these is what recovery needs.
 *
 * Controls, each of which pan has to refuse: EARLY_ACK, OUT_OF_ORDER, GOES_ON_AFTER_FAILURE,
 * FORGETS_THE_NEXT_LEADER.
 */
#define WRITERS 3
#define APPENDS 2
#define FRAMES 6
#define NONE 255

mtype = { waiting, lead, done };

typedef Append {
  mtype signal;
  bool failed
};
Append appends[WRITERS];

typedef Frame {
  bool members[WRITERS];
  bool is_durable;
  bool is_done
};
Frame frames[FRAMES];
byte first = 0;   /* the oldest frame that is not answered */
byte issued = 0;  /* the next one to go out */
byte opened = 0;  /* frames that were begun */
bool is_open = false; /* whether the newest one may be joined */
bool is_led = false;
bool has_overlap = false;
bool failure = false;

#define can_issue (first == issued || (has_overlap && issued - first < 2))

/* Names a leader among those who wait for the next frame. */
inline start_leader(i) {
  if
  :: !is_led && issued < opened && can_issue ->
    i = 0;
    do
    :: i < WRITERS && !frames[issued].members[i] -> i++
    :: else -> break
    od;
    assert(i < WRITERS && appends[i].signal == waiting);
    appends[i].signal = lead;
    is_led = true
  :: else
  fi
}

/* Answers all of a frame. */
inline answer(frame, is_failed, i) {
  i = 0;
  do
  :: i < WRITERS ->
    if
    :: frames[frame].members[i] ->
      frames[frame].members[i] = false;
      assert(appends[i].signal == waiting);
      appends[i].failed = is_failed;
      appends[i].signal = done
    :: else
    fi;
    i++
  :: else -> break
  od
}

inline acknowledge(frame, i, k) {
#ifndef GOES_ON_AFTER_FAILURE
  assert(!failure);
#endif
  k = 0;
  do
  :: k <= frame -> assert(frames[k].is_durable); k++
  :: else -> break
  od;
  answer(frame, false, i)
}

inline give_up_all(i) {
  do
  :: first < opened -> answer(first, true, i); first++
  :: else -> issued = first; is_open = false; break
  od
}

/* One frame, one write, one barrier. */
inline lead_once(mine, leads, is_written, i, k) {
  atomic {
    mine = NONE;
    if
    :: failure ->
      if
      :: first == issued -> give_up_all(i)
      :: else
      fi
    :: !failure && issued < opened && can_issue ->
      mine = issued;
      if
      :: issued == opened - 1 -> is_open = false
      :: else
      fi;
      if
      :: first == issued -> has_overlap = false
      :: else
      fi;
      issued++
    :: else
    fi;
    if
    :: mine == NONE -> is_led = false; start_leader(i)
    :: else
    fi
  }
  if
  :: mine != NONE ->
    leads = true;
    if
    :: atomic { has_overlap = true; leads = false; is_led = false; start_leader(i) }
    :: skip
    fi;
#ifdef EARLY_ACK
    atomic { acknowledge(mine, i, k) }
#endif
    if
    :: atomic { frames[mine].is_durable = true; is_written = true }
    :: is_written = false
    :: atomic { frames[mine].is_durable = true; is_written = false }
    fi;
    atomic { complete(mine, is_written, leads, i, k) }
  :: else
  fi
}

inline complete(mine, ok, leads, i, k) {
#ifndef GOES_ON_AFTER_FAILURE
  if
  :: !ok -> failure = true
  :: else
  fi;
#endif
  frames[mine].is_done = true;
#ifdef OUT_OF_ORDER
  if
  :: failure -> answer(mine, true, i)
  :: else -> acknowledge(mine, i, k)
  fi;
#endif
  do
  :: first < issued && frames[first].is_done ->
    if
    :: failure -> answer(first, true, i)
    :: else -> acknowledge(first, i, k)
    fi;
    first++
  :: else -> break
  od;
  if
  :: failure && first == issued && (leads || !is_led) -> give_up_all(i)
  :: else
  fi;
  if
  :: leads -> is_led = false
  :: else
  fi;
#ifndef FORGETS_THE_NEXT_LEADER
  start_leader(i)
#endif
}

proctype writer(byte me) {
  byte appended = 0;
  byte mine, i, k;
  bool leads, is_leader, is_written;
  do
  :: appended < APPENDS ->
    appended++;
    atomic {
      is_leader = false;
      if
      :: failure -> goto answered
      :: else
      fi;
      if
      :: !is_open -> opened++; is_open = true
      :: else
      fi;
      appends[me].signal = waiting;
      frames[opened - 1].members[me] = true;
      if
      :: !is_led && issued < opened && can_issue -> is_led = true; is_leader = true
      :: else
      fi
    }
    do
    :: is_leader -> lead_once(mine, leads, is_written, i, k); is_leader = false
    :: else ->
      if
      :: atomic { appends[me].signal == lead -> appends[me].signal = waiting; is_leader = true }
      :: appends[me].signal == done -> break
      fi
    od;
    answered: skip
  :: else -> break
  od
}

init {
  byte w = 0;
  atomic {
    do
    :: w < WRITERS -> run writer(w); w++
    :: else -> break
    od
  }
}
