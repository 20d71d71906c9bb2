// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Call into a bundle, the framework or a file system, in a thread of its own, because it may block or throw anything.
 *
 * <p>Java cannot end a thread. A step that blocks stays until it returns or the process ends. Its caller continues and
 * reports the method in which it hangs.
 */
final class Step {
    /** Time after which a running step is reported. */
    static final long NOTICE_MILLIS = 5000;

    private static final int FRAMES = 3;

    /** Work of a step. Only work that leaves no partial result is interrupted. */
    enum Activity {
        READING("its reading", true, "remove the file"),
        INSTALLING("its installation", false, "end the gateway if it does not return"),
        STARTING("its start", true, "remove the jar, or end the gateway"),
        STOPPING("its stop", false, "it is out of use until that returns; end the gateway if it does not return"),
        REFRESHING("the exchange of its packages", false, "end the gateway if it does not return");

        private final String words;
        private final boolean interruptible;
        private final String remedy;

        Activity(String words, boolean interruptible, String remedy) {
            this.words = words;
            this.interruptible = interruptible;
            this.remedy = remedy;
        }

        String words() {
            return words;
        }
    }

    /** Work that a step runs. */
    @FunctionalInterface
    interface Body {
        /** @throws Exception any exception; a step also survives an Error */
        void run(Step step) throws Exception;
    }

    /** Thread that runs a step. */
    private static final class Worker extends Thread {
        Worker(Runnable body, String name) {
            super(null, body, name, 0, false);
            setDaemon(true);
            setContextClassLoader(null); // as on the thread that starts the gateway
        }
    }

    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread thread;
    private String subject;
    private Activity activity;
    private long since = System.nanoTime();
    private boolean reported;
    private boolean givenUp;
    private Throwable failure;

    private Step(String subject, Activity activity, Body body) {
        this.subject = Printable.of(subject);
        this.activity = activity;
        this.thread = new Worker(() -> run(body), "gateway: " + this.subject);
    }

    /**
     * Runs a body in a new thread.
     *
     * @param subject subject of the messages, such as the name of a file
     * @param activity first work of the body
     */
    static Step start(String subject, Activity activity, Body body) {
        Step step = new Step(subject, activity, body);
        step.thread.start();
        return step;
    }

    /** {@return whether the calling thread runs a step} */
    static boolean isCurrentThread() {
        return Thread.currentThread() instanceof Worker;
    }

    private void run(Body body) {
        try {
            body.run(this);
        } catch (Throwable e) {
            failure = e;
        } finally {
            done.countDown();
        }
    }

    /** Called by the body before it starts other work; false if the step was cancelled and must return. */
    boolean enter(Activity next) {
        return enter(next, subject());
    }

    /** The same, for another subject. */
    synchronized boolean enter(Activity next, String about) {
        Thread.interrupted(); // drops an interrupt that was meant for the previous work
        subject = Printable.of(about);
        activity = next;
        since = System.nanoTime();
        return !givenUp;
    }

    synchronized String subject() {
        return subject;
    }

    synchronized Activity activity() {
        return activity;
    }

    /** Interrupts the step if possible and keeps the body from starting other work. */
    synchronized void giveUp() {
        givenUp = true;
        if (activity.interruptible) {
            thread.interrupt();
        }
    }

    /** The same, unless the step already does this work. */
    synchronized void giveUpUnless(Activity last) {
        if (activity != last) {
            giveUp();
        }
    }

    synchronized boolean isGivenUp() {
        return givenUp;
    }

    boolean isDone() {
        return done.getCount() == 0;
    }

    /** {@return whether the step is done, after at most this time} */
    boolean await(long millis) throws InterruptedException {
        return done.await(millis, TimeUnit.MILLISECONDS);
    }

    /**
     * Waits longer for a step that makes progress than for one that blocks. A step makes progress if its stack has
     * changed after an interval.
     *
     * @param interval milliseconds between two looks at the stack
     * @param least milliseconds after which the wait for a blocking step ends
     * @param most milliseconds after which the wait ends in any case
     * @return whether the step is done
     */
    boolean awaitWork(long interval, long least, long most) throws InterruptedException {
        StackTraceElement[] before;
        long waited = 0;
        do {
            before = thread.getStackTrace();
            if (await(interval)) {
                return true;
            }
            waited += interval;
        } while (waited < least || waited < most && !Arrays.equals(before, thread.getStackTrace()));
        return isDone();
    }

    /** {@return the failure of a step that is done, if any} */
    Optional<Throwable> failure() {
        return Optional.ofNullable(failure);
    }

    /** {@return whether {@link #report} has reported it} */
    synchronized boolean isReported() {
        return reported;
    }

    /** {@return a sentence about a step that runs too long; once for each step} */
    synchronized Optional<String> report() {
        long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since);
        if (reported || isDone() || millis < NOTICE_MILLIS) {
            return Optional.empty();
        }
        reported = true;
        return Optional.of(subject + ": " + activity.words + " still runs after " + millis / 1000 + " s" + place()
                + "; the others go on; " + activity.remedy);
    }

    /** Returns the top frame of its stack and the frames below it that belong neither to Java nor to the framework. */
    private String place() {
        StackTraceElement[] stack = thread.getStackTrace();
        if (stack.length == 0) {
            return "";
        }
        return Stream.concat(
                        Stream.of(stack[0]),
                        Arrays.stream(stack, 1, stack.length)
                                .filter(Step::isForeign)
                                .limit(FRAMES))
                .map(StackTraceElement::toString)
                .collect(Collectors.joining(", called by ", ", in ", ""));
    }

    private static boolean isForeign(StackTraceElement frame) {
        return !frame.getClassName()
                .matches("(java|jdk|sun|org\\.apache\\.felix\\.framework)\\..*|org\\.dmabuf\\.heap\\.launcher\\.[^.]*");
    }
}
