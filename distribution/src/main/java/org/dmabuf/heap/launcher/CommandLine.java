// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.List;
import java.util.Optional;

/**
 * What the user asked for on the command line.
 *
 * <p>Options come first. From the first word that is none, everything is one Gogo command line, so that a command's own
 * options need no quoting: {@code gateway dmaheap:list -a}.
 *
 * @param help print the usage and end
 * @param verbose log more, and print stack traces
 * @param daemon run without a terminal and without a command, until a signal comes
 * @param command the one command line to run; without it, standard input is the shell's or a script
 */
record CommandLine(boolean help, boolean verbose, boolean daemon, Optional<String> command) {
    static final String USAGE = """
            usage: gateway [-v] [--daemon | command ...]

              gateway                a shell; 'exit' or Ctrl-D ends it
              gateway command ...    runs one command line and prints its result
              gateway < script       runs each line of standard input, up to the first that fails
              gateway --daemon       runs without a terminal until it gets a signal, as a service does

              -v, --verbose          log what happens, and print the stack trace of a failure
              -h, --help             print this

            The words of a command are joined by spaces and read by the shell's own rules, so quote what sh would take
            for itself: gateway 'dmaheap:list | grep system'. 'gateway help' lists the commands.

            A jar in the folder 'deploy' runs while it is there, in each of these ways; a file in 'etc' takes effect
            while the gateway runs.

            Exit status: 0 all is well, 1 a command failed or the gateway did not start, 2 these options make no sense;
            143 ended by SIGTERM and 130 by Ctrl-C, in good order.
            Environment: JAVA_HOME, a JDK of 25 or later; JAVA_OPTS, more options for it; both also in bin/setenv.""";

    static CommandLine parse(List<String> arguments) throws Failure {
        boolean help = false;
        boolean verbose = false;
        boolean daemon = false;
        int word = 0;
        for (; word < arguments.size() && arguments.get(word).startsWith("-"); word++) {
            switch (arguments.get(word)) {
                case "-h", "--help" -> help = true;
                case "-v", "--verbose" -> verbose = true;
                case "--daemon" -> daemon = true;
                default -> throw Failure.usage("unknown option '" + arguments.get(word) + "'; see --help");
            }
        }
        String command = String.join(" ", arguments.subList(word, arguments.size())).strip();
        if (daemon && !command.isEmpty()) {
            throw Failure.usage("--daemon runs no command, so leave out one of the two: " + command);
        }
        return new CommandLine(help, verbose, daemon, command.isEmpty() ? Optional.empty() : Optional.of(command));
    }
}
