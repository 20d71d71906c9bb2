// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.tck;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Call of foreign code on a thread of its own. The caller waits for a limited time, because the code may hang. Not
 * thread-safe; a call runs once.
 */
final class TimedCall {
    /** Time for the code to react to an interrupt. */
    private static final Duration GRACE = Duration.ofSeconds(2);

    private static final String KIT = TimedCall.class.getPackageName() + '.';

    private final String name;
    private final Duration limit;
    private final AtomicReference<Throwable> fault = new AtomicReference<>();
    private final Thread thread;

    /** @param name of the call, for the message */
    TimedCall(String name, Duration limit, ContractCase.Body body) {
        this.name = name;
        this.limit = limit;
        this.thread = Thread.ofPlatform().daemon().name("dmaheap-verify").unstarted(() -> {
            try {
                body.run();
            } catch (Throwable e) { // a heap may throw any error
                fault.set(e);
            }
        });
    }

    /**
     * Runs the code. After the time limit, or an interrupt of the caller, the code's thread is interrupted.
     *
     * @return what the code threw, or an error that names the method that has not returned; empty without a fault
     * @throws InterruptedException after an interrupt of the caller, whether or not the code has returned
     */
    Optional<Throwable> fault() throws InterruptedException {
        thread.start();
        try {
            if (thread.join(limit)) {
                return Optional.ofNullable(fault.get());
            }
            return Optional.of(new AssertionError(
                    name + " did not return within " + limit.toSeconds() + " s" + place(thread.getStackTrace())));
        } finally {
            if (thread.isAlive()) {
                thread.interrupt();
                thread.join(GRACE);
            }
        }
    }

    /** {@return whether the code still runs} */
    boolean hangs() {
        return thread.isAlive();
    }

    /** Returns the method of the heap that the kit has called; nothing if the kit itself waits, as for its threads. */
    private static String place(StackTraceElement[] stack) {
        List<StackTraceElement> foreign = Arrays.stream(stack)
                .takeWhile(frame -> !frame.getClassName().startsWith(KIT))
                .toList();
        boolean isOfHeap = !foreign.isEmpty() && foreign.getLast().getModuleName() == null;
        return isOfHeap ? "; it is in " + foreign.getLast() : "";
    }
}
