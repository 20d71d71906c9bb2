// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import org.apache.felix.service.command.CommandSession;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.socket.FdSocketException;

/** What all commands have in common: help, a line that is read before anything is done, and failures as sentences. */
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
     * @param session in which it was typed
     * @param syntax of the command
     * @param words that were typed behind it
     * @param work what it does, unless only the help was wanted
     * @throws CommandFailure with the sentence that the caller reads
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

    /** The sentence answers the interrupt. Were the thread still interrupted, Gogo's streams would close under it. */
    private static CommandFailure interrupted(Syntax syntax, Exception e) {
        Thread.interrupted();
        return new CommandFailure(syntax.command() + " was interrupted; the shell holds no more than before", e);
    }
}
