// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;

/**
 * Runner for shell commands: prints the help, parses the line before any work, and reports failures as one sentence.
 */
final class Command {
    private Command() {}

    /** The work of one command. */
    @FunctionalInterface
    interface Work {
        void run(Line line, Output out) throws IOException, InterruptedException;
    }

    /**
     * Runs a command.
     *
     * @param session session in which the command was typed
     * @param syntax of the command
     * @param words words after the command
     * @param work work of the command; it does not run if only the help was requested
     * @throws CommandFailure with a sentence for the user of the shell
     */
    static void run(CommandSession session, Syntax syntax, Object[] words, Work work) {
        try {
            Line line = syntax.parse(words);
            Output out = Output.of(session);
            if (line.help()) {
                out.print(syntax.help());
            } else {
                work.run(line, out);
            }
        } catch (HeapException e) {
            throw e.errno() == Errno.EINTR
                    ? interrupted(syntax, e)
                    : new CommandFailure(OptionWords.of(e.getMessage()), e);
        } catch (FdSocketException e) {
            throw e.errno() == Errno.EINTR ? interrupted(syntax, e) : new CommandFailure(e);
        } catch (InterruptedException | ClosedByInterruptException e) {
            throw interrupted(syntax, e);
        } catch (IllegalArgumentException | IOException e) {
            throw new CommandFailure(e);
        }
    }

    /** Clears the interrupt status first. If the thread stayed interrupted, Gogo's streams would be closed. */
    private static CommandFailure interrupted(Syntax syntax, Exception e) {
        Thread.interrupted();
        return new CommandFailure(syntax.command() + " was interrupted; the shell's buffers are unchanged", e);
    }
}
