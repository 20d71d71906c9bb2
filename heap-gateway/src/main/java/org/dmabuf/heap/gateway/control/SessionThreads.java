// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control;

import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * Group of a session's threads: its own, and those that its commands start, which inherit the group.
 *
 * <p>By it the command {@code exit}, which is the launcher's and knows no session, ends the session that calls it
 * instead of the gateway: it looks for a group that takes an exit status.
 *
 * <p>A thread that outlives its command is in the group, too: one of a bundle that was started here, or a worker of the
 * broker that was needed first. So an interrupt of the group would end what serves other clients.
 */
final class SessionThreads extends ThreadGroup implements IntConsumer {
    /** Gogo gives a thread this name while it runs a command, also one of a shell within the session. */
    private static final String COMMAND = "pipe-";

    private volatile IntConsumer exit;

    /** @param exit gets the status that the command {@code exit} was given */
    SessionThreads(String name, IntConsumer exit) {
        super(name);
        this.exit = exit;
    }

    @Override
    public void accept(int status) {
        exit.accept(status);
    }

    /** Interrupts the commands that run, and no thread that one of them has started for longer. */
    void interruptCommands() {
        Thread[] threads = new Thread[2 * activeCount() + 16];
        int count = enumerate(threads);
        Arrays.stream(threads, 0, count)
                .filter(thread -> thread.getName().startsWith(COMMAND))
                .forEach(Thread::interrupt);
    }

    /** Lets go of the session, which a thread that stays would keep. */
    void end() {
        exit = _ -> {};
    }
}
