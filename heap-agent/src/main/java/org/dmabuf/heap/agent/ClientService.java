// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.seccomp.SeccompListener;
import org.dmabuf.heap.linux.seccomp.TrappedCall;
import org.dmabuf.heap.linux.socket.PacketSocket;

/**
 * Service of one listener. One thread leads: it receives the calls and answers the quick ones. It also serves a call
 * that waits for the gateway. If another call arrives meanwhile, it passes the lead to another thread. So a call
 * changes no thread, a single call wakes no other one, and the gateway delays no quick call. Calls above the limit wait
 * in a queue.
 *
 * <p>The threads end when the last task with the filter has ended, or when the agent stops.
 */
final class ClientService {
    private static final QuietLog LOG = new QuietLog(ClientService.class);
    private static final long STACK_BYTES = 256 << 10;
    /** A client of many threads fills the queue. The kernel's heaps return the same error when memory is short. */
    private static final int LONGEST_QUEUE = 1024;
    /** The lead's wait for a reply. The wait of the socket itself begins after it. */
    private static final int PATIENCE_MILLIS = 5_000;

    /** @param call bytes of a {@link TrappedCall} */
    private record QueuedCall(byte[] call, Node node) {}

    private final SeccompListener listener;
    private final GatewaySession gateway;
    private final CallRouter router;
    private final NodeCalls calls;
    private final String name;
    private final int limit;
    private final Runnable ended;

    private final Semaphore lead = new Semaphore(1);
    private volatile boolean over;

    private final Object lock = new Object();
    private final Deque<QueuedCall> queue = new ArrayDeque<>(); // guarded by lock, as the two numbers
    private int threads;
    private int serving;

    /**
     * Makes a service without threads.
     *
     * @param listener closed by the last thread, as is the session with the gateway
     * @param limit calls that wait for the gateway at the same time
     * @param ended runs in the last thread
     */
    ClientService(
            SeccompListener listener,
            GatewaySession gateway,
            CallRouter router,
            NodeCalls calls,
            String name,
            int limit,
            Runnable ended) {
        this.listener = listener;
        this.gateway = gateway;
        this.router = router;
        this.calls = calls;
        this.name = name;
        this.limit = limit;
        this.ended = ended;
    }

    /** Starts the first thread. If that fails, the caller closes what it has given. */
    void start() {
        synchronized (lock) {
            threads++;
        }
        begin();
    }

    private void begin() {
        boolean begun = false;
        try {
            Thread.ofPlatform()
                    .name("calls of " + name)
                    .daemon()
                    .stackSize(STACK_BYTES)
                    .start(this::run);
            begun = true;
        } finally {
            if (!begun) {
                synchronized (lock) {
                    threads--;
                }
            }
        }
    }

    private void run() {
        boolean counted = true;
        ThreadLead place = new ThreadLead();
        try {
            CallSpace space = new CallSpace();
            Optional<Node> node = next(space, place);
            while (counted && node.isPresent()) {
                serve(space, node.get(), place);
                counted = place.held || isNeeded();
                node = counted ? next(space, place) : node;
            }
        } catch (Throwable e) { // such as a shortage of memory
            LOG.error("serving {} failed; its calls fail from now on", name, e);
            over = true;
        } finally {
            place.giveUp();
            if (counted) {
                leave();
            }
        }
    }

    /** The lead, as one thread has it or not. */
    private final class ThreadLead implements Lead {
        private boolean held;

        private void take() {
            if (!held) {
                lead.acquireUninterruptibly();
                held = true;
            }
        }

        private void giveUp() {
            if (held) {
                held = false;
                lead.release();
            }
        }

        @Override
        public void pass() {
            if (held && hasFollower()) {
                giveUp();
            }
        }

        @Override
        public void awaitReply(PacketSocket connection) {
            if (held && !connection.await(fd -> listener.awaitOther(fd, PATIENCE_MILLIS))) {
                pass();
            }
        }
    }

    /** {@return the node of the next call to serve, with the lead; empty at the end} */
    private Optional<Node> next(CallSpace space, ThreadLead place) {
        place.take();
        while (!over) {
            if (listener.receive(space.call) != SeccompListener.Event.CALL) {
                over = true;
                gateway.close(); // ends the calls of tasks that have ended
                break;
            }
            Optional<Node> node = router.route(space);
            if (node.isPresent() && mayServe(space, node.get())) {
                return node;
            }
        }
        return Optional.empty();
    }

    /** Called by the leading thread. {@return whether it shall serve the call} */
    private boolean mayServe(CallSpace space, Node node) {
        synchronized (lock) {
            if (serving < limit) {
                serving++;
                return true;
            }
            if (queue.size() < LONGEST_QUEUE) {
                queue.add(new QueuedCall(space.call.save(), node));
                return false;
            }
        }
        calls.refuse(space, node);
        return false;
    }

    /** {@return whether there is a thread that can lead; false if none can be started} */
    private boolean hasFollower() {
        synchronized (lock) {
            if (threads > serving) {
                return true;
            }
            threads++;
        }
        try {
            begin();
            return true;
        } catch (OutOfMemoryError e) {
            return false; // the listener's other calls wait for this one
        }
    }

    /** Serves a call and those in the queue. */
    private void serve(CallSpace space, Node first, Lead place) {
        Optional<Node> node = Optional.of(first);
        while (node.isPresent()) {
            try {
                calls.answer(space, node.get(), place);
            } catch (RuntimeException | OutOfMemoryError e) {
                LOG.error("a call of {} on {} failed", name, node.get(), e);
                calls.refuse(space, node.get());
            }
            node = queued(space);
        }
    }

    /** {@return whether at most one other thread serves no call. Otherwise this thread has left} */
    private boolean isNeeded() {
        synchronized (lock) {
            boolean needed = threads - serving <= 2;
            if (!needed) {
                threads--;
            }
            return needed;
        }
    }

    private Optional<Node> queued(CallSpace space) {
        synchronized (lock) {
            QueuedCall queued = queue.poll();
            if (queued == null || over) {
                serving--;
                return Optional.empty();
            }
            space.call.load(queued.call());
            return Optional.of(queued.node());
        }
    }

    private void leave() {
        boolean last;
        synchronized (lock) {
            threads--;
            last = threads == 0;
        }
        if (last) {
            listener.close();
            gateway.close();
            ended.run();
        }
    }
}
