// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * Thread group of a session: its own thread, and those that its commands start.
 *
 * <p>The launcher's command {@code exit} does not know sessions. It looks for a thread group that accepts an exit
 * status, and so ends the session that calls it instead of the gateway.
 *
 * <p>The group may also have threads that outlive their command: a bundle that the session started, or the broker, may
 * have created them. They serve other clients, so the group as a whole is never interrupted.
 */
final class SessionThreads extends ThreadGroup implements IntConsumer {
    /** First part of the name that Gogo gives a thread while it runs a command. */
    private static final String COMMAND = "pipe-";

    private volatile IntConsumer exit;

    /** @param exit receives the exit status that was given to the command {@code exit} */
    SessionThreads(String name, IntConsumer exit) {
        super(name);
        this.exit = exit;
    }

    @Override
    public void accept(int status) {
        exit.accept(status);
    }

    /** Interrupts the running commands, but not the other threads that they started. */
    void interruptCommands() {
        Thread[] threads = new Thread[2 * activeCount() + 16];
        int count = enumerate(threads);
        Arrays.stream(threads, 0, count)
                .filter(thread -> thread.getName().startsWith(COMMAND))
                .forEach(Thread::interrupt);
    }

    /** Drops the session, which a surviving thread of the group would otherwise keep reachable. */
    void end() {
        exit = _ -> {};
    }
}
