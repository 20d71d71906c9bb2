// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Progress reports on standard error, on a terminal only, for a command that works or waits for a second or more. Its
 * thread ends with the command.
 */
final class Progress implements AutoCloseable {
    private static final long PATIENCE_MILLIS = 1000;

    private final Output out;
    private final Supplier<String> text;
    /** Stands for no reports, where the output is not a terminal. */
    private final ScheduledExecutorService clock;

    private int printed;
    private boolean over;

    private Progress(Output out, Supplier<String> text) {
        this.out = out;
        this.text = text;
        this.clock = out.terminal()
                ? Executors.newSingleThreadScheduledExecutor(task ->
                        Thread.ofPlatform().daemon().name("dmaheap-progress").unstarted(task))
                : null;
    }

    /** {@return a report, once, of what the command waits for} */
    static Progress saying(Output out, String text) {
        Progress progress = new Progress(out, () -> text);
        if (progress.clock != null) {
            progress.clock.schedule(progress::once, PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        }
        return progress;
    }

    /** {@return a report, each second, of how far the command is, on one line that changes} */
    static Progress following(Output out, Supplier<String> text) {
        Progress progress = new Progress(out, text);
        if (progress.clock != null) {
            progress.clock.scheduleWithFixedDelay(
                    progress::again, PATIENCE_MILLIS, PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        }
        return progress;
    }

    private synchronized void once() {
        if (!over) {
            out.err().println(text.get());
        }
    }

    private synchronized void again() {
        if (!over) {
            String line = text.get();
            out.err().print("\r" + line + " ".repeat(Math.max(0, printed - line.length())));
            out.err().flush();
            printed = line.length();
        }
    }

    /** Stops the reports; no report is printed after this call. */
    @Override
    public synchronized void close() {
        over = true;
        if (clock != null) {
            clock.shutdownNow();
        }
        if (printed > 0) {
            out.err().println();
        }
    }
}
