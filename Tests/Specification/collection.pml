/* Garbage collection of blobs: one blob, attempts that want it stored, and collectors.
 *
 * The blob has a row in the database and a file in the store, which no transaction changes together:
 *     absent -> arriving -> live -> condemned -> deleting -> absent
 * Arriving: somebody writes the file. Condemned: nothing refers to it; whoever asks for
 * it makes it live again. Deleting: nobody is told any more that it is there, and the file goes; then the row does. */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef ATTEMPTS     /* of each worker */
#define ATTEMPTS 2
#endif
#ifndef PUTS         /* in an attempt */
#define PUTS 2
#endif
#ifndef LOSSES       /* attempts whose lease ends while they go on */
#define LOSSES 1
#endif
#ifndef DROPS        /* times that whatever refers to the blob is deleted */
#define DROPS 1
#endif
#ifndef ROUNDS       /* of each collector */
#define ROUNDS 2
#endif
#ifndef CRASHES      /* collectors that die in the midst of it */
#define CRASHES 1
#endif

#ifdef STALL              /* a collector that was thought dead goes on where it was */
#define STALLS true
#else
#define STALLS false
#endif

/* No attempt that runs was claimed before the row was last touched, and so may rely on what it was told. */
#ifdef NO_GRACE
#define IS_OLD true
#else
#define IS_OLD !((alive[0] && before[0]) || (alive[1] && before[1]))
#endif

#ifdef COLLECT_WITHOUT_COMPARE   /* it does not look again */
#define IS_UNTOUCHED(s, state) true
#elif defined(COMPARE_STATE)     /* the row is in that state: again, perhaps */
#define IS_UNTOUCHED(s, state) (row == state)
#else
#define IS_UNTOUCHED(s, state) (row == state && stamp == s)
#endif

mtype = { absent, arriving, live, condemned, deleting };

/* The row. */
mtype row = absent;
byte stamp;         /* when it was touched: new at every change */
byte life;          /* new when the blob arrives */
byte owner;         /* of the deletion */
byte references;    /* a bit for each worker's item */

bool file;

bool alive[2];      /* the worker's attempt holds its lease */
bool before[2];     /* and held it when the row was last touched */
bool dead[2];       /* collectors */

/* Ghost: the attempt was told that the blob is there. */
bool told[2];

byte losses = LOSSES, drops = DROPS, crashes = CRASHES;

#define IS_THERE ((row == live || row == condemned) && file)

inline check() {
    assert(references == 0 || IS_THERE);
    assert(!(told[0] && alive[0]) || IS_THERE);
    assert(!(told[1] && alive[1]) || IS_THERE)
}

inline changed() { stamp++; before[0] = alive[0]; before[1] = alive[1] }

inline touch() { row = live; changed() }

inline leave(w) { alive[w] = false; told[w] = false; before[w] = false; mine = 0 }

#ifdef CONFIRM_ANY_LIFE
#define IS_MINE (row != absent && row != deleting)
#else
#define IS_MINE (row != absent && row != deleting && life == mine)
#endif

proctype Worker(byte w) {
    byte attempts = ATTEMPTS;
    byte puts = PUTS;
    byte mine;
endIdle:
    atomic { attempts > 0 -> attempts--; puts = PUTS; alive[w] = true; before[w] = false }

ask:
    /* "Have it?", by its digest or through the cache of parts: the row is touched before the file is looked for. */
    if
    :: atomic { row == live || row == condemned ->
#ifndef NO_TOUCH
        touch()
#endif
        };
        if
        :: atomic { file -> told[w] = true; check(); goto complete }
        :: atomic { !file -> skip }
        fi
    :: atomic { row != live && row != condemned -> skip }
    :: atomic { !alive[w] -> leave(w); goto endIdle }
    fi;

put:
#ifdef REGISTER_LATE
    skip;
#else
    if
    :: atomic { row == absent -> row = arriving; life++; mine = life; changed() }
    /* Somebody else writes it, or did and died: two may write the same bytes. */
    :: atomic { row == arriving -> mine = life; changed() }
    :: atomic { row == live || row == condemned -> mine = life; touch() }
    /* While it is being deleted it waits until the old file is gone. */
    :: atomic { !alive[w] -> leave(w); goto endIdle }
    fi;
#endif
    puts--;
    file = true;

    /* The put is acknowledged. */
    if
#ifdef REGISTER_LATE
    :: atomic { row != deleting -> touch(); told[w] = true; check(); goto complete }
    :: atomic { row == deleting -> skip }
#elif defined(CONFIRM_UNCHECKED)
    :: atomic { touch(); told[w] = true; check(); goto complete }
#else
    :: atomic { IS_MINE -> touch(); told[w] = true; check(); goto complete }
    :: atomic { !IS_MINE -> assert(!alive[w]) }
#endif
    fi;
    if
    :: puts > 0 -> goto ask
    :: atomic { true -> leave(w); goto endIdle }
    fi;

complete:
    /* The completion names the blob, and is accepted while nobody else has claimed the item, however late. */
    if
#ifdef COMPLETE_UNCHECKED
    :: atomic { true -> references = references | (1 << w); check(); leave(w); goto endIdle }
#else
    :: atomic { row == live || row == condemned -> touch(); references = references | (1 << w);
        check(); leave(w); goto endIdle }
    :: atomic { row != live && row != condemned -> assert(!alive[w]); leave(w); goto endIdle }
#endif
    :: atomic { !alive[w] -> leave(w); goto endIdle }
    fi
}

proctype Collector(byte c) {
    byte rounds = ROUNDS;
    byte seen;
end:
    do
    /* Finds that nothing refers to it, and that nobody has asked for long; and then condemns it. */
    :: atomic { rounds > 0 && row == live && references == 0 && IS_OLD -> rounds--; seen = stamp };
        atomic {
            if
            :: IS_UNTOUCHED(seen, live) -> row = condemned; changed()
            :: else
            fi;
            seen = 0 }

    /* The same of what is condemned, or never arrived; and gives it up. */
    :: atomic { (row == condemned || row == arriving) && references == 0 && IS_OLD -> seen = stamp };
#ifdef UNLINK_FIRST
        file = false;
        atomic {
            if
            :: IS_UNTOUCHED(seen, condemned) || IS_UNTOUCHED(seen, arriving) -> row = absent; changed()
            :: else
            fi;
            seen = 0;
            check() }
#else
        atomic {
            if
            :: IS_UNTOUCHED(seen, condemned) || IS_UNTOUCHED(seen, arriving) ->
#ifdef ROW_FIRST
                row = absent;
#else
                row = deleting; owner = c;
#endif
                changed(); seen = 0;
                check()
            :: else -> seen = 0; goto end
            fi };
remove:
        atomic { file = false; check() };
        atomic {
            if
            :: row == deleting -> row = absent; changed()
            :: else
            fi }
#endif

#ifndef UNLINK_FIRST
    /* Goes on with the deletion of one that has died, or that seems to have died. */
    :: atomic { row == deleting && dead[owner] && owner != c -> owner = c; goto remove }
#endif
    od unless { dead[c] && !STALLS }
}

/* What ends leases, references and collectors. */
proctype Others() {
end:
    do
    :: atomic { losses > 0 && alive[0] -> losses--; alive[0] = false }
    :: atomic { losses > 0 && alive[1] -> losses--; alive[1] = false }
    :: atomic { drops > 0 && references != 0 -> drops--; references = 0 }
    :: atomic { crashes > 0 && row == deleting -> crashes--; dead[owner] = true }
    od
}

init { atomic { run Worker(0); run Worker(1); run Collector(0); run Collector(1); run Others() } }
