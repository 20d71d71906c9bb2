// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Job;
import org.apache.felix.service.command.Process;

/**
 * Ctrl-C while a command works. Gogo's own answer is to cancel the job: it prints the name of a Java class and offers
 * the prompt while the command's thread still works. This one interrupts the command's thread, whose own sentence is
 * then printed when nothing is held any more.
 */
interface CtrlC extends AutoCloseable {
    /** The variable under which Gogo's shell keeps the terminal of a session. */
    String TERMINAL = ".terminal";

    /**
     * Has Ctrl-C interrupt this thread, in a session with a terminal and for a command in the foreground.
     *
     * @param session whose terminal it is
     * @return closed by this thread when the command has done what can be interrupted
     */
    static CtrlC interrupting(CommandSession session) {
        Object terminal = session.get(TERMINAL);
        Process process = Process.Utils.current();
        if (terminal == null || process == null || !isForeground(process.job())) {
            return () -> {};
        }
        try {
            return TerminalCtrlC.interrupting(terminal, process.job());
        } catch (NoClassDefFoundError e) {
            return () -> {}; // a shell whose terminal is not JLine's
        }
    }

    /** {@return whether a job waits at the prompt's place, and all that it is part of} */
    static boolean isForeground(Job job) {
        for (Job one = job; one != null; one = one.parent()) {
            if (one.status() != Job.Status.Foreground) {
                return false;
            }
        }
        return true;
    }

    @Override
    void close();
}
