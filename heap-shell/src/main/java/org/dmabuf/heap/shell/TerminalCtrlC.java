// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.apache.felix.service.command.Job;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.Terminal.SignalHandler;

/**
 * Handler of Ctrl-C for a JLine terminal. A separate class, because only this one needs JLine, which other shells lack.
 */
final class TerminalCtrlC implements CtrlC, SignalHandler {
    private final Terminal terminal;
    private final Job job;
    private final Thread thread;
    private SignalHandler before;
    private boolean over;

    private TerminalCtrlC(Terminal terminal, Job job, Thread thread) {
        this.terminal = terminal;
        this.job = job;
        this.thread = thread;
    }

    /** Replaces the session's own handler of Ctrl-C. */
    static CtrlC interrupting(Object terminal, Job job) {
        if (!(terminal instanceof Terminal jline)) {
            return () -> {};
        }
        TerminalCtrlC handler = new TerminalCtrlC(jline, job, Thread.currentThread());
        handler.install();
        return handler;
    }

    private synchronized void install() {
        before = terminal.handle(Signal.INT, this);
    }

    @Override
    public void handle(Signal signal) {
        boolean inFront = CtrlC.isForeground(job);
        SignalHandler other;
        synchronized (this) {
            if (!over && inFront) {
                thread.interrupt(); // under the lock, so that it cannot come after close()
                return;
            }
            other = before;
        }
        if (other != SignalHandler.SIG_DFL && other != SignalHandler.SIG_IGN) {
            other.handle(signal); // the command is suspended, and another command is in the foreground
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            over = true; // from here on an interrupt would hit the thread's next command
            Thread.interrupted(); // drops a late interrupt: the result is printed on a thread that is not interrupted
        }
        SignalHandler installed = terminal.handle(Signal.INT, before);
        if (installed != this) {
            terminal.handle(Signal.INT, installed);
        }
    }
}
