// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Job;
import org.apache.felix.service.command.Process;

/**
 * Handler of Ctrl-C while a command works. Gogo's own handler cancels the job: it prints the name of a Java class and
 * shows the prompt while the command's thread still works. This handler interrupts the command's thread. The command
 * then releases what it holds and prints its own sentence.
 */
interface CtrlC extends AutoCloseable {
    /** Variable in which Gogo's shell keeps the terminal of a session. */
    String TERMINAL = ".terminal";

    /**
     * Makes Ctrl-C interrupt the calling thread if the session has a terminal and the command is in the foreground.
     *
     * @param session session whose terminal is used
     * @return handle that the calling thread closes after the part of the command that can be interrupted
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
            return () -> {}; // the shell has a terminal, but not JLine's
        }
    }

    /** {@return whether a job, including all jobs that contain it, occupies the prompt} */
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
