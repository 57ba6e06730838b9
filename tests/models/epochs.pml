/* Epochs, as src/recovery/recovery.cc and src/root/root_file.cc claim them.
 *
 * Two processes open the log again and again, up to OPENINGS times; each opening may crash at any
 * step, with a slot torn that was being written. Once, the disk ruins a slot.
 * Shown: no two openings write frames under the same epoch, epochs of frames grow, there is never a
 * second owner, and one slot of the root is good at any time unless the disk ruined the other.
 *
 * Controls, each of which pan has to refuse: NO_LOCK, NEWEST_SLOT_FIRST, ONE_SLOT_AND_STEP_ONE.
 */
#define OPENINGS 5
#define BAD 255

byte slot_epoch[2];     /* BAD if it does not verify */
byte slot_sequence[2];
bool is_locked = false;
bool is_ruined = false;
byte openings = 0;
byte highest_used = 0;
byte owners = 0;

#ifdef NO_LOCK
#define may_lock true
#else
#define may_lock (!is_locked)
#endif

/* Writes one slot; a crash in between leaves it bad. */
inline write_slot(which, epoch, sequence) {
  slot_epoch[which] = BAD;
  if
  :: goto crashed
  :: skip
  fi;
  atomic { slot_epoch[which] = epoch; slot_sequence[which] = sequence };
  if
  :: goto crashed
  :: skip
  fi
}

proctype opener() {
  byte epoch, sequence, next, step, used;
  do
  :: atomic {
      openings < OPENINGS && may_lock -> openings++; is_locked = true; owners++
    };
    assert(owners == 1);
    atomic {
      assert(slot_epoch[0] != BAD || slot_epoch[1] != BAD);
      step = 1;
      if
      :: slot_epoch[0] == BAD -> next = 0; epoch = slot_epoch[1]; sequence = slot_sequence[1]; step = 2
      :: slot_epoch[1] == BAD -> next = 1; epoch = slot_epoch[0]; sequence = slot_sequence[0]; step = 2
      :: slot_epoch[0] != BAD && slot_epoch[1] != BAD && slot_sequence[0] > slot_sequence[1] ->
        next = 1; epoch = slot_epoch[0]; sequence = slot_sequence[0]
      :: slot_epoch[0] != BAD && slot_epoch[1] != BAD && slot_sequence[0] <= slot_sequence[1] ->
        next = 0; epoch = slot_epoch[1]; sequence = slot_sequence[1]
      fi;
#ifdef ONE_SLOT_AND_STEP_ONE
      step = 1;
#endif
#ifdef NEWEST_SLOT_FIRST
      next = 1 - next;
#endif
      epoch = epoch + step
    };
    write_slot(next, epoch, sequence + 1);
#ifndef ONE_SLOT_AND_STEP_ONE
    write_slot(1 - next, epoch, sequence + 2);
#endif
    /* Frames are written from here on. */
    atomic { assert(epoch > highest_used); highest_used = epoch };
    if
    :: write_slot(next, epoch, sequence + 3); write_slot(1 - next, epoch, sequence + 4)  /* A trim. */
    :: skip
    fi;
    crashed: atomic { owners--; is_locked = false }
  :: openings == OPENINGS -> break
  od
}

/* A sector goes bad while the log is closed; the other slot has to be good then. */
proctype disk() {
  end: atomic {
    !is_locked && !is_ruined && slot_epoch[0] != BAD && slot_epoch[1] != BAD ->
    is_ruined = true;
    if
    :: slot_epoch[0] = BAD
    :: slot_epoch[1] = BAD
    fi
  }
}

init {
  atomic {
    slot_epoch[0] = 1; slot_epoch[1] = 1;
    slot_sequence[0] = 1; slot_sequence[1] = 2;
    highest_used = 1;
    run opener(); run opener(); run disk()
  }
}
