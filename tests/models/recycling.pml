/* Rotation and recycling, as src/retention/standby_keeper.cc, src/segment/file_store_space.cc and
 * src/segment/file_store.cc do it.
 *
 * A writer rotates through SEGMENTS segments and trims, a keeper makes standbys of new files or of
 * trimmed ones, readers of another process open segments by name and read them, and a backup links
 * a segment to a name elsewhere. The directory and the headers on the disk follow those in memory
 * late, one by one, until they are synced.
 * Shown for every interleaving: whoever reads a segment sees that segment's bytes and no others, as
 * long as it has the file open; what the backup has linked keeps its bytes; and after a crash at any
 * moment all segments from the root's first one to the newest acknowledged one are there under
 * their names, and behind them nothing that is not a standby.
 *
 * A link is one step here. In the kernel it looks the name up first, and one that did so before the
 * renaming may count behind the second look: a backup compares what it has linked.
 *
 * Controls, each of which pan has to refuse: RECYCLES_UNDER_READERS, TRUSTS_THE_FIRST_LOOK,
 * FORGETS_THE_NAMES, RECYCLES_BEFORE_THE_ROOT, COUNTS_LINKS_ONCE, VOIDS_WHAT_IS_LINKED.
 */
#define SEGMENTS 4
#define FILES 3
#define READERS 2
#define NONE 255

byte name_of[5] = NONE;         /* the file of a segment's number, as processes see it; from 1 on */
byte durable_name_of[5] = NONE; /* the same after a crash */
byte content[FILES];            /* the segment whose header a file has; 0: none */
byte durable_content[FILES];    /* the same after a crash */
byte shared_locks[FILES];
bool is_exclusive[FILES];
bool is_used[FILES];
byte linked = NONE;     /* the file that has a second name */
byte backed_up = 0;     /* the segment that it held then; 0: it was no part of the log */
byte first = 1;         /* of the log, as the root says; durable */
byte trimmed_below = 1; /* what the writer will trim up to, or has */
byte last = 0;          /* the newest acknowledged segment; durable */
byte standby = 0;       /* a number that is ready to be used; 0: none */
bool is_over = false;

/* After a crash everything that the root and the acknowledgements promise has to be there. The
 * opening takes what is behind for standbys and writes zeros over their headers. */
inline check_crash(n, file) {
  n = first;
  do
  :: n <= last ->
    file = durable_name_of[n];
    assert(file != NONE && durable_content[file] == n);
    n++
  :: n > last && n <= SEGMENTS ->
    file = durable_name_of[n];
    if
    :: file != NONE ->
      assert(durable_content[file] < first || durable_content[file] == n);
#ifdef VOIDS_WHAT_IS_LINKED
      assert(file != linked || backed_up == 0)
#endif
    :: else
    fi;
    n++
  :: else -> break
  od
}

/* A header is written over; its file may be what somebody else has. */
inline overwrite(file, number) {
  assert(file != linked || backed_up == 0 || backed_up == number);
  content[file] = number
}

proctype keeper() {
  byte next = 1;
  byte file, old, n;
  do
  :: next <= SEGMENTS && standby == 0 ->
    file = NONE;
    /* A trimmed file, if there is one. */
    old = 0;
    atomic {
      n = 1;
      do
      :: n < trimmed_below && name_of[n] != NONE -> old = n; break
      :: n < trimmed_below && name_of[n] == NONE -> n++
      :: n >= trimmed_below -> break
      od;
      n = 0
    };
    if
    :: old != 0 ->
      file = name_of[old];
      /* The exclusive lock: nobody may have it open. Else only the name goes. */
      atomic {
        if
#ifdef RECYCLES_UNDER_READERS
        :: true -> is_exclusive[file] = true
#else
        :: shared_locks[file] == 0 -> is_exclusive[file] = true
        :: shared_locks[file] != 0 -> name_of[old] = NONE; file = NONE
#endif
        fi
      };
      /* Nor may it have another name. */
      if
      :: atomic { file != NONE && file == linked ->
          is_exclusive[file] = false; name_of[old] = NONE; file = NONE }
      :: else
      fi;
      if
      :: file != NONE ->
        atomic { name_of[next] = file; name_of[old] = NONE };
        /* Its old name is gone: a link that is not there now never holds what it held. */
        if
#ifndef COUNTS_LINKS_ONCE
        :: atomic { file == linked ->
            is_exclusive[file] = false; name_of[next] = NONE; file = NONE }
#endif
        :: else ->
          overwrite(file, 0);
          atomic { is_exclusive[file] = false; shared_locks[file]++ }
        fi
      :: else
      fi
    :: else
    fi;
    if
    :: file == NONE ->
      /* A new one, if the disk has room. */
      atomic {
        n = 0;
        do
        :: n < FILES && !is_used[n] -> is_used[n] = true; file = n; break
        :: n < FILES && is_used[n] -> n++
        :: n == FILES -> break
        od;
        n = 0
      };
      if
      :: file != NONE -> atomic { name_of[next] = file; shared_locks[file]++ }
      :: else
      fi
    :: else
    fi;
    if
    :: file != NONE ->
      atomic { durable_content[file] = content[file] };
#ifndef FORGETS_THE_NAMES
      atomic {
        n = 1;
        do
        :: n <= SEGMENTS -> durable_name_of[n] = name_of[n]; n++
        :: else -> break
        od;
        check_crash(n, file);
        n = 0; file = 0
      };
#endif
      atomic { standby = next; next++ }
    :: else
    fi
  :: is_over -> break
  od
}

/* One link, at any moment, to a file by its name. */
proctype backup() {
  byte n;
  atomic {
    if
    :: n = 1
    :: n = 2
    :: n = 3
    fi;
    if
    :: name_of[n] != NONE ->
      linked = name_of[n];
      if
      :: content[linked] == n -> backed_up = n
      :: else
      fi
    :: else
    fi
  }
}

proctype writer() {
  byte n, file;
  do
  :: atomic { standby != 0 -> n = standby; standby = 0 };
    file = name_of[n];
    /* The header goes out with the first frame. */
    overwrite(file, n);
    atomic { durable_content[file] = n; last = n; check_crash(n, file); n = 0 };
    /* Its handle is given back some time. */
    file = name_of[last];
    atomic { shared_locks[file]--; file = 0 }
    if
    :: last == SEGMENTS -> is_over = true; break
    :: last < SEGMENTS && first < last ->
      /* A trim: the root first, then the files are anybody's. */
#ifdef RECYCLES_BEFORE_THE_ROOT
      trimmed_below = last;
      first = last
#else
      first = last;
      trimmed_below = last
#endif
    :: last < SEGMENTS
    fi
  :: is_over -> break
  /* No file, and nothing to be had of one: it trims. */
  :: atomic { standby == 0 && !is_over && last > first -> first = last; trimmed_below = last }
  od
}

/* The system writes names and headers when it likes. */
proctype disk() {
  byte n, file;
  do
  :: atomic {
      if
      :: durable_name_of[1] != name_of[1] -> n = 1
      :: durable_name_of[2] != name_of[2] -> n = 2
      :: durable_name_of[3] != name_of[3] -> n = 3
      :: durable_name_of[4] != name_of[4] -> n = 4
      fi;
      durable_name_of[n] = name_of[n];
      check_crash(n, file);
      n = 0; file = 0
    }
  :: atomic {
      if
      :: durable_content[0] != content[0] -> n = 0
      :: durable_content[1] != content[1] -> n = 1
      :: durable_content[2] != content[2] -> n = 2
      fi;
      durable_content[n] = content[n];
      check_crash(n, file);
      n = 0; file = 0
    }
  :: is_over -> break
  od
}

proctype reader() {
  byte n, file;
  do
  :: !is_over ->
    atomic {
      if
      :: first <= last -> n = first
      :: first <= last -> n = last
      :: first > last -> n = 0
      fi
    };
    if
    :: n != 0 ->
      file = name_of[n];
      if
      :: file != NONE ->
        if
        :: atomic { !is_exclusive[file] -> shared_locks[file]++ };
          /* Whether it is still that file, and has the header of that segment. */
          if
#ifdef TRUSTS_THE_FIRST_LOOK
          :: true ->
#else
          :: name_of[n] == file && content[file] == n ->
#endif
            assert(content[file] == n);
            /* A view that is looked at later. */
            assert(content[file] == n)
          :: else
          fi;
          shared_locks[file]--
        :: is_exclusive[file]
        fi
      :: else
      fi
    :: else
    fi;
    atomic { n = 0; file = 0 }
  :: is_over -> break
  od
}

init {
  byte i = 0;
  atomic {
    run keeper(); run writer(); run disk(); run backup();
    do
    :: i < READERS -> run reader(); i++
    :: else -> break
    od
  }
}
