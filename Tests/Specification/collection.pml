/* Garbage collection of blobs, as it is to be built: one blob, attempts that want it stored, and collectors.
 *
 * The blob has a row in the database and a file in the store, which no transaction changes together:
 *     absent -> arriving -> live -> condemned -> deleting -> absent
 * Arriving: somebody writes the file. Condemned: nothing refers to it; whoever asks for it makes it live again.
 * Deleting: nobody is told any more that it is there, and the file goes; then the row does. */

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

/* How the file is named: by the digest alone, or with a number that no other life of the blob has. */
#ifdef GENERATIONS
#define NAME(g) g
#else
#define NAME(g) 0
#endif

#ifdef STALL              /* a collector that was thought dead goes on where it was */
#define STALLS true
#else
#define STALLS false
#endif

/* Twice the longest lease: attempts that ran when the blob was condemned, or its writing begun, have ended. */
#ifdef NO_GRACE
#define IS_OLD true
#else
#define IS_OLD !((alive[0] && before[0]) || (alive[1] && before[1]))
#endif

#ifdef COLLECT_WITHOUT_COMPARE
#define IS_UNTOUCHED(s) true
#elif defined(COMPARE_STATE)   /* the row is condemned: again, perhaps */
#define IS_UNTOUCHED(s) (row == condemned || row == arriving)
#else
#define IS_UNTOUCHED(s) ((row == condemned || row == arriving) && stamp == s)
#endif

mtype = { absent, arriving, live, condemned, deleting };

/* The row. */
mtype row = absent;
byte stamp;         /* new at every change of the row */
byte generation;    /* new when the blob arrives */
byte owner;         /* of the deletion */
byte references;    /* a bit for each worker's item */
byte lastGeneration;

bool file[12];      /* by name */

bool alive[2];      /* the worker's attempt holds its lease */
bool before[2];     /* and held it when the row was last condemned or begun to arrive */
bool dead[2];       /* collectors */

/* Ghost: the attempt was told that the blob is there. */
bool told[2];

byte losses = LOSSES, drops = DROPS, crashes = CRASHES;

#define IS_THERE ((row == live || row == condemned) && file[NAME(generation)])

inline check() {
    assert(references == 0 || IS_THERE);
    assert(!(told[0] && alive[0]) || IS_THERE);
    assert(!(told[1] && alive[1]) || IS_THERE)
}

inline touch() {
    row = live; stamp++
}

/* All attempts that hold a lease now do so at the change from which the row's age counts. */
inline age() { before[0] = alive[0]; before[1] = alive[1] }

inline leave(w) { alive[w] = false; told[w] = false; before[w] = false; mine = 0 }

proctype Worker(byte w) {
    byte attempts = ATTEMPTS;
    byte puts = PUTS;
    byte mine;
endIdle:
    atomic { attempts > 0 -> attempts--; puts = PUTS; alive[w] = true; before[w] = false }

ask:
    /* "Have it?", by its digest or through the cache of parts; or a put of what is there already. */
    if
    :: atomic { row == live || row == condemned ->
#ifdef NO_TOUCH
        skip;
#else
        touch();
#endif
        told[w] = true; check(); goto complete }
#ifdef REGISTER_LATE
    :: atomic { row != live && row != condemned -> goto write }
#else
    :: atomic { row == absent ->
        row = arriving; stamp++; lastGeneration++; generation = lastGeneration; mine = generation; age();
        goto write }
    /* Somebody else writes it, or did and died: two may write the same bytes. */
    :: atomic { row == arriving -> stamp++; mine = generation; age(); goto write }
    /* Where files are named by the digest alone, a put waits until the old file is gone. */
#ifdef GENERATIONS
    :: atomic { row == deleting ->
        row = arriving; stamp++; lastGeneration++; generation = lastGeneration; mine = generation; age();
        goto write }
#endif
#endif
    :: atomic { !alive[w] -> leave(w); goto endIdle }
    fi;

write:
    puts--;
    file[NAME(mine)] = true;

    /* The put is acknowledged. */
    if
#ifdef REGISTER_LATE
    :: atomic { row != deleting -> touch(); told[w] = true; check(); goto complete }
    :: atomic { row == deleting && puts > 0 -> goto ask }
    :: atomic { row == deleting && puts == 0 -> leave(w); goto endIdle }
#elif defined(CONFIRM_UNCHECKED)
    :: atomic { touch(); told[w] = true; check(); goto complete }
#else
    :: atomic { generation == mine && (row == arriving || row == live || row == condemned) ->
        touch(); told[w] = true; check(); goto complete }
    :: atomic { !(generation == mine && (row == arriving || row == live || row == condemned)) ->
        assert(!alive[w]);
        if
        :: puts > 0 -> goto ask
        :: true -> leave(w); goto endIdle
        fi }
#endif
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
    byte seen, gone;
end:
    do
    /* Condemns what nothing refers to. */
    :: atomic { rounds > 0 && row == live && references == 0 -> rounds--; row = condemned; stamp++; age() }

    /* Deletes what has been condemned for long, or began to arrive and never did. */
    :: atomic { (row == condemned || row == arriving) && IS_OLD -> seen = stamp; gone = generation };
#ifdef UNLINK_FIRST
        file[NAME(gone)] = false;
        atomic {
            if
            :: IS_UNTOUCHED(seen) -> row = absent; stamp++
            :: else
            fi;
            check() }
#else
        atomic {
            if
            :: IS_UNTOUCHED(seen) -> stamp++; seen = stamp;
#ifdef ROW_FIRST
                row = absent;
#else
                row = deleting; owner = c;
#endif
                check()
            :: else -> goto over
            fi };
remove:
        atomic { file[NAME(gone)] = false; check() };
        atomic {
            if
            :: row == deleting && owner == c && generation == gone -> row = absent; stamp++
            :: else
            fi };
over:
        seen = 0; gone = 0
#endif

#ifndef UNLINK_FIRST
    /* Goes on with the deletion of one that has died, or that seems to have died. */
    :: atomic { row == deleting && dead[owner] && owner != c -> owner = c; stamp++; gone = generation; goto remove }
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
