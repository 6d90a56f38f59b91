/* The job queue: what claims, the reaper, completions, failures, cancelling and lost blobs do to work items.
 *
 * Item 1 is made from what item 0 made. Every transaction of the job store is one atomic step, but for those two in
 * which another transaction can come between. README.md says which code each part stands for. What the queue
 * promises is kept in ghost variables that no decision reads: `valid`, `accepted`, `times`, `madeFrom`. */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef CRASHES      /* processes that die without a word */
#define CRASHES 0
#endif
#ifndef SUSPICIONS   /* sessions or items that are taken from a worker that lives */
#define SUSPICIONS 0
#endif
#ifndef LOSSES       /* answers that are lost, and requests that arrive twice */
#define LOSSES 0
#endif
#ifndef FAILURES     /* attempts that fail and are tried again */
#define FAILURES 0
#endif
#ifndef GIVEN_UP     /* attempts that fail for good */
#define GIVEN_UP 0
#endif
#ifndef REWINDS      /* blobs that are lost */
#define REWINDS 0
#endif
#ifndef CLOSES       /* workers that are told to stop */
#define CLOSES 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef RETRIES      /* jobs that ended and are to go on */
#define RETRIES 0
#endif
#ifndef FAILOVERS    /* claims that are answered and then lost with the database that had them */
#define FAILOVERS 0
#endif

#define NOBODY WORKERS
#define NOTHING 2

/* What a lease is compared with, and how seeded mistakes compare it. A lease's `id` is its true number, so that the
 * ghosts know it apart from all others whatever a mistake makes of it. */
#ifdef REUSE_LEASE           /* neither fence nor id are new at a claim: who held the item once still does */
#define RAISE(i) skip
#define SAME_ID(i, n) (lease[i] != 0)
#elif defined(MATCH_FENCE)   /* the id is not compared */
#define RAISE(i) fence[i]++
#define SAME_ID(i, n) true
#else
#define RAISE(i) fence[i]++
#define SAME_ID(i, n) (lease[i] == n)
#endif

#define HOLDS(i, n, f) (state[i] == leased && fence[i] == f && SAME_ID(i, n))

#ifdef MATCH_STATE           /* as queues without a fence do */
#define MAY_COMPLETE(i, n, f) (state[i] == leased)
#elif defined(ACCEPT_CANCELLED)
#define MAY_COMPLETE(i, n, f) (HOLDS(i, n, f) || (state[i] == cancelled && lease[i] == n))
#else
#define MAY_COMPLETE(i, n, f) HOLDS(i, n, f)
#endif

#ifdef FAIL_UNFENCED         /* whoever reports a failure, the item is opened again */
#define MAY_FAIL(i, n, f) (state[i] == leased)
#else
#define MAY_FAIL(i, n, f) HOLDS(i, n, f)
#endif

#ifdef REFUSE_LATE
#define WAS_TAKEN(i, n, f) false
#elif defined(COMPLETE_TWICE) /* a replay counts as another completion */
#define WAS_TAKEN(i, n, f) (state[i] != leased && fence[i] - f <= 1 && SAME_ID(i, n))
#else
#define WAS_TAKEN(i, n, f) ((state[i] == ready || state[i] == blocked) && fence[i] == f + 1 && SAME_ID(i, n))
#endif

#ifdef REFUSE_REPLAY
#define IS_REPLAY(i, n, f, d) false
#else
#define IS_REPLAY(i, n, f, d) (state[i] == done && SAME_ID(i, n) && fence[i] - f <= 1 && result[i] == d)
#endif

#ifdef CLOSE_BESIDE_CLAIM    /* a closing session does not wait for a claim of its own */
#define CLOSING_WAITS false
#else
#define CLOSING_WAITS true
#endif

mtype = { blocked, ready, leased, done, failed, cancelled, running };

/* Rows. */
mtype job = running;
mtype state[2];
byte left = 1;          /* of item 1 */
byte fence[2];
byte lease[2];          /* 0: none */
byte holder[2];
byte result[2];         /* digest of the result handed in last; 0: none yet */
bool open[WORKERS];     /* sessions */
bool claiming[WORKERS]; /* a claim has locked the session's row, and not committed yet */
bool ending[WORKERS];   /* the reaper has */

/* Messages. */
typedef Message { byte item; byte id; byte fence; byte digest; byte version };
Message answer[WORKERS];  /* to a claim */
Message late[WORKERS];    /* a completion that is still under way while its worker does something else */
bool waiting[WORKERS];    /* a claim is asked for */

/* Worker processes. */
Message held[WORKERS];
bool crashed[WORKERS];
bool closing[WORKERS];

/* What may still happen. */
byte crashes = CRASHES, suspicions = SUSPICIONS, losses = LOSSES, failures = FAILURES, givenUp = GIVEN_UP;
byte rewinds = REWINDS, closes = CLOSES, cancels = CANCELS, retries = RETRIES, failovers = FAILOVERS;

/* Ghosts. */
byte issued[2];    /* claims so far: the lease's true number */
byte valid[2];     /* the one lease whose completion is to be accepted; 0: none */
byte accepted[2];  /* the one that was */
byte times[2];     /* completions accepted since the item was last opened on purpose */
byte madeFrom;     /* the result of item 0 that item 1 was made from */

#define OPEN_STATE(i) ((i == 1 && left > 0) -> blocked : ready)

/* What must hold between transactions. */
inline check() {
    assert(left == (state[0] == done -> 0 : 1));
    assert(state[1] != ready || left == 0);
    assert(state[0] != done || state[1] != done || madeFrom == result[0]);
    assert(state[0] != leased || open[holder[0]]);
    assert(state[1] != leased || open[holder[1]]);
    assert(job != cancelled || (state[0] == done || state[0] == cancelled) || state[0] == failed);
    assert(job != cancelled || (state[1] == done || state[1] == cancelled) || state[1] == failed)
}

/* Item 0 is no longer done. */
inline countUp() {
#ifndef FORGET_COUNT
    left++;
    if
    :: state[1] == ready -> state[1] = blocked
    :: else
    fi
#else
    skip
#endif
}

/* ItemEvent.rewound; of item 0. */
inline rewind() {
    state[0] = ready; RAISE(0); lease[0] = 0;
    times[0] = 0; accepted[0] = 0; valid[0] = 0;
    countUp()
}

/* ItemEvent.outdated; of item 1. */
inline outdate() {
    valid[1] = 0;
    if
    :: state[1] == done || state[1] == leased ->
        state[1] = OPEN_STATE(1); RAISE(1); lease[1] = 0; holder[1] = NOBODY; times[1] = 0; accepted[1] = 0
    :: else ->
#ifndef KEEP_TAKEN_LEASE
        lease[1] = 0
#else
        skip
#endif
    fi
}

/* ItemEvent.completed. Leaves in `yes` what is answered. */
inline complete(m, yes) {
    if
    :: MAY_COMPLETE(m.item, m.id, m.fence) || WAS_TAKEN(m.item, m.id, m.fence) ->
        assert(m.id == valid[m.item]);
        assert(times[m.item] == 0);
        assert(job != cancelled);
        state[m.item] = done; holder[m.item] = NOBODY;
        accepted[m.item] = m.id; valid[m.item] = 0; times[m.item]++;
        if
        :: m.item == 1 -> madeFrom = m.version; result[1] = m.digest
        :: else ->
            if
            :: state[1] == blocked && left == 1 -> state[1] = ready
            :: else
            fi;
            left--;
#ifndef KEEP_DEPENDENTS
            if
            :: result[0] != 0 && result[0] != m.digest -> outdate()
            :: else
            fi;
#endif
            result[0] = m.digest
        fi;
        yes = true
    :: else ->
        yes = IS_REPLAY(m.item, m.id, m.fence, m.digest);
        assert(m.id != valid[m.item]);
        assert(yes == (m.id == accepted[m.item]))
    fi;
    check()
}

inline openAgain(i) { state[i] = OPEN_STATE(i); lease[i] = 0; holder[i] = NOBODY; valid[i] = 0 }

/* ItemEvent.failed and .released: the item is open again, and the lease forgotten. */
inline giveBack(m) {
    assert(m.id == valid[m.item]);
    state[m.item] = OPEN_STATE(m.item); lease[m.item] = 0; holder[m.item] = NOBODY; valid[m.item] = 0
}

/* ItemEvent.lost. The lease is kept, so that a completion is still welcome while nobody has claimed the item. */
inline take(i) {
    assert(state[i] != done);
    state[i] = OPEN_STATE(i); RAISE(i); holder[i] = NOBODY
}

inline cancelItem(i) {
    if
#ifdef ACCEPT_CANCELLED
    :: state[i] == leased -> state[i] = cancelled; holder[i] = NOBODY; valid[i] = 0
    :: state[i] == blocked || state[i] == ready -> state[i] = cancelled; lease[i] = 0; valid[i] = 0
#else
    :: state[i] == leased -> state[i] = cancelled; RAISE(i); lease[i] = 0; holder[i] = NOBODY; valid[i] = 0
    :: state[i] == blocked || state[i] == ready -> state[i] = cancelled; lease[i] = 0; valid[i] = 0
#endif
    :: else
    fi
}

inline retryItem(i) {
    if
    :: state[i] == failed || state[i] == cancelled -> state[i] = OPEN_STATE(i); lease[i] = 0
    :: else
    fi
}

inline clear(m) { m.item = NOTHING; m.id = 0; m.fence = 0; m.digest = 0; m.version = 0 }

inline copy(from, to) {
    to.item = from.item; to.id = from.id; to.fence = from.fence; to.digest = from.digest; to.version = from.version
}

/* Whether the worker that holds item `i` knows of it, or is about to. */
#define IS_KNOWN(i) ((held[holder[i]].item == i && held[holder[i]].id == lease[i]) || \
    (answer[holder[i]].item == i && answer[holder[i]].id == lease[i]))

/* Whether `w` holds an item that it does not report. */
#define IS_FORGOTTEN(i, w) (!crashed[w] && !closing[w] && open[w] && !ending[w] && \
    state[i] == leased && holder[i] == w && !IS_KNOWN(i))

/* A worker process, and what it asks of the coordinator at once. Nothing is asked between answer and next step. */
proctype Worker(byte w) {
    bool yes;
end:
    do
    /* Session and claims. */
    :: atomic { !crashed[w] && !closing[w] && !open[w] && held[w].item == NOTHING && !waiting[w] &&
        job != done -> open[w] = true }
    :: atomic { !crashed[w] && !closing[w] && open[w] && held[w].item == NOTHING && !waiting[w] &&
        answer[w].item == NOTHING && job == running -> waiting[w] = true }
    :: atomic { waiting[w] && !open[w] && !claiming[w] -> waiting[w] = false }
    :: d_step { answer[w].item != NOTHING && !crashed[w] && !closing[w] ->
        copy(answer[w], held[w]); held[w].digest = (held[w].item == 0 -> w + 1 : held[w].version);
        clear(answer[w]) }
    :: atomic { answer[w].item != NOTHING && losses > 0 -> losses--; clear(answer[w]) }

    /* Results are handed in, again where no answer came; a request may arrive twice. */
    :: atomic { held[w].item != NOTHING ->
        complete(held[w], yes);
        if
        :: clear(held[w])
        :: losses > 0 -> losses--
        :: losses > 0 && late[w].item == NOTHING -> losses--; copy(held[w], late[w]); clear(held[w])
        fi;
        yes = false }
    /* The session has expired: what is computed is still handed in, the rest dropped. */
    :: atomic { held[w].item != NOTHING && !open[w] ->
        if
        :: late[w].item == NOTHING -> copy(held[w], late[w])
        :: true
        fi;
        clear(held[w]) }
    :: atomic { held[w].item != NOTHING && failures > 0 -> failures--;
        if
        :: MAY_FAIL(held[w].item, held[w].id, held[w].fence) -> giveBack(held[w])
        :: else
        fi;
        clear(held[w]); check() }
    :: atomic { held[w].item == 1 && rewinds > 0 -> rewinds--;
        if
        :: MAY_FAIL(1, held[w].id, held[w].fence) ->
            giveBack(held[w]);
            if
            :: state[0] == done -> rewind()
            :: else
            fi
        :: else
        fi;
        clear(held[w]); check() }
    :: atomic { held[w].item != NOTHING && givenUp > 0 -> givenUp--;
        if
        :: MAY_FAIL(held[w].item, held[w].id, held[w].fence) ->
            giveBack(held[w]); state[held[w].item] = failed;
            if
            :: job == running -> job = failed
            :: else
            fi
        :: else
        fi;
        clear(held[w]); check() }

    /* The heartbeat: leases the worker has lost, and one it does not know of. */
    :: atomic { held[w].item != NOTHING && open[w] && !ending[w] &&
        !HOLDS(held[w].item, held[w].id, held[w].fence) &&
        !(state[held[w].item] == done && lease[held[w].item] == held[w].id) -> clear(held[w]) }
    :: atomic { IS_FORGOTTEN(0, w) -> openAgain(0); check() }
    :: atomic { IS_FORGOTTEN(1, w) -> openAgain(1); check() }

    /* Dies; its restart is another session, once the old one has ended. */
    :: d_step { !crashed[w] && crashes > 0 && job == running -> crashes--;
        crashed[w] = true; closing[w] = false; waiting[w] = false; clear(held[w]); clear(answer[w]) }
    :: atomic { crashed[w] && !open[w] -> crashed[w] = false }

    /* Told to stop: nothing is held any more, but a claim may be under way. */
    :: d_step { !crashed[w] && !closing[w] && open[w] && held[w].item == NOTHING && closes > 0 && job == running ->
        closes--; closing[w] = true; waiting[w] = false }
    :: atomic { closing[w] && open[w] && !ending[w] && !(CLOSING_WAITS && claiming[w]) ->
        open[w] = false;
        if
        :: state[0] == leased && holder[0] == w ->
            openAgain(0)
        :: else
        fi;
        if
        :: state[1] == leased && holder[1] == w ->
            openAgain(1)
        :: else
        fi;
        check() }
    :: d_step { closing[w] && !open[w] -> closing[w] = false; clear(answer[w]) }
    od
}

/* Requests of a worker inside the coordinator, which go on when the worker does not: a claim, in two steps, and a
 * completion that comes late. */
proctype Requests(byte w) {
    byte i;
    bool yes;
end:
    do
    :: d_step { waiting[w] && open[w] && !claiming[w] && !ending[w] && job == running &&
        (state[0] == ready || state[1] == ready) -> claiming[w] = true }
    :: atomic { claiming[w] ->
        claiming[w] = false;
        if
        :: job == running && state[0] == ready -> i = 0
        :: job == running && state[1] == ready -> i = 1
        :: job != running || (state[0] != ready && state[1] != ready) -> i = NOTHING
        fi;
        if
        :: i != NOTHING ->
            issued[i]++;
            answer[w].item = i; answer[w].id = issued[i]; answer[w].version = (i == 1 -> result[0] : 0);
            if
            :: state[i] = leased; RAISE(i); lease[i] = issued[i]; valid[i] = issued[i]; holder[i] = w;
                answer[w].fence = fence[i]
            :: failovers > 0 -> failovers--; answer[w].fence = fence[i] + 1
            fi;
            if
            :: crashed[w] || !waiting[w] -> clear(answer[w])
            :: else
            fi;
            waiting[w] = false
        :: else
        fi;
        i = 0;
        check() }
    :: atomic { late[w].item != NOTHING ->
        complete(late[w], yes); clear(late[w]); yes = false }
    :: atomic { late[w].item != NOTHING && losses > 0 -> losses--; clear(late[w]) }
    od
}

#ifdef REAP_UNCHECKED        /* what was read is not looked at again once it is locked */
#define IS_STILL_HELD(i, w) true
#else
#define IS_STILL_HELD(i, w) (state[i] == leased && holder[i] == w)
#endif

/* Ends a session that is dead, or seems to be. One transaction: the session is locked, and what it holds read; then
 * that is locked and looked at again. */
inline endSession(w) {
    atomic { open[w] && !claiming[w] && (crashed[w] || suspicions > 0) ->
        suspicions = (crashed[w] -> suspicions : suspicions - 1);
        ending[w] = true;
        first = (state[0] == leased && holder[0] == w);
        second = (state[1] == leased && holder[1] == w) }
    atomic {
        if
        :: first && IS_STILL_HELD(0, w) -> take(0)
        :: else
        fi;
        if
        :: second && IS_STILL_HELD(1, w) -> take(1)
        :: else
        fi;
        open[w] = false; ending[w] = false; first = false; second = false;
        check() }
}

/* The leader's duties: sessions, overdue items, and the end of the job. */
proctype Leader() {
    bool first, second;
end:
    do
#ifndef NEVER_REAP
    :: endSession(0)
    :: endSession(1)
#if WORKERS > 2
    :: endSession(2)
#endif
    :: atomic { state[0] == leased && !IS_KNOWN(0) -> take(0); check() }
    :: atomic { state[1] == leased && !IS_KNOWN(1) -> take(1); check() }
    :: atomic { state[0] == leased && suspicions > 0 -> suspicions--; take(0); check() }
    :: atomic { state[1] == leased && suspicions > 0 -> suspicions--; take(1); check() }
#endif
    :: atomic { job == running && state[0] == done && state[1] == done -> job = done }
    od;
}

/* Users, and items that are not modelled themselves: another one that is made from what item 0 made may find that it
 * is lost. */
proctype Others() {
end:
    do
    :: atomic { rewinds > 0 && state[0] == done && (job == running || job == failed) -> rewinds--; rewind(); check() }
    :: atomic { cancels > 0 && job == running -> cancels--; job = cancelled; cancelItem(0); cancelItem(1); check() }
    :: atomic { retries > 0 && (job == cancelled || job == failed) -> retries--; job = running;
        retryItem(0); retryItem(1); check() }
    od
}

/* With nothing left that can happen, the job has ended. */
proctype Watch() {
end:
    do
    :: atomic { timeout -> assert(job != running); break }
    od
}

init {
    byte w;
    atomic {
        state[0] = ready; state[1] = blocked; holder[0] = NOBODY; holder[1] = NOBODY;
        for (w : 0 .. WORKERS - 1) {
            held[w].item = NOTHING; answer[w].item = NOTHING; late[w].item = NOTHING;
        }
        for (w : 0 .. WORKERS - 1) { run Worker(w); run Requests(w) }
        run Leader(); run Others(); run Watch()
    }
}

#ifdef LIVENESS
ltl ends { <> (job == done) }
#endif
