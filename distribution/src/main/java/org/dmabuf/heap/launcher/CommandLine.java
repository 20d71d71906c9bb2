// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * What the user asked for on the command line.
 *
 * <p>Options come first. From the first word that is none, everything is one Gogo command line, so that a command's own
 * options need no quoting: {@code gateway dmaheap:list -a}.
 *
 * @param action what to do
 * @param verbose log more, and print stack traces
 * @param json print a status for a program
 * @param socket the control socket to open or to ask, instead of the usual one
 * @param command the one command line to run; without it, standard input is the shell's or a script
 */
record CommandLine(Action action, boolean verbose, boolean json, Optional<String> socket, Optional<String> command) {
    /** What to do. */
    enum Action {
        /** Print the usage and end. */
        HELP,
        /** Print the versions and end. */
        VERSION,
        /** Run a gateway for a shell, a script or a command. */
        RUN,
        /** Run a gateway without a terminal and without a command, until a signal comes. */
        DAEMON,
        /** Print the state of a gateway that runs. */
        STATUS,
        /** Run a shell or a command in a gateway that runs. */
        ATTACH
    }

    static final String USAGE = """
            usage: gateway [-v] [--daemon | --attach] [--socket PATH] [command ...]
                   gateway [--socket PATH] status [--json]

              gateway               a shell; 'exit' or Ctrl-D ends it
              gateway command ...   runs one command line and prints its result
              gateway < script      runs each line of standard input, up to the first that
                                    fails
              gateway --daemon      runs without a terminal until it gets a signal, as a
                                    service does

            and in a gateway that runs already, as a service or in another terminal:

              gateway status        its state; answers also while a shell or a heap hangs
              gateway --attach      a shell in it; 'exit' or Ctrl-D ends the shell, and
                                    never the gateway; Ctrl-\\ leaves it also when a
                                    command in it hangs
              gateway --attach command ...
                                    runs one command line in it; standard input is read
                                    when the command reads it
              gateway --attach < script
                                    runs each line of standard input in it, up to the first
                                    that fails

              -v, --verbose         log what happens, and print the stack trace of a failure
              --socket PATH         the control socket to ask, or to open with --daemon or
                                    in a shell
              --json                the state as one JSON object
              --version             print the versions of the gateway and of Java
              -h, --help            print this

            The words of a command are joined by spaces and read by the shell's own rules,
            so quote what sh would take for itself: gateway 'dmaheap:list | grep system'.
            'gateway help' lists the commands. The shell may have a command 'status' of its
            own: gateway 'SCOPE:status' runs that one.

            A jar in the folder 'deploy' runs while it is there, in each of these ways; a
            file in 'etc' takes effect while the gateway runs.

            Attaching is running code as the gateway: it is for the gateway's own user and
            root. The control socket is control.socket of etc/gateway.properties, else
            $RUNTIME_DIRECTORY/control for a service, else
            $XDG_RUNTIME_DIR/dmaheap-gateway/control, else
            /tmp/dmaheap-gateway-UID/control. Without --socket, the first of these that is
            there is asked, a service's in /run/dmaheap-gateway before the others.

            Exit status: 0 all is well, 1 a command failed or the gateway did not start,
            2 these options make no sense; 143 ended by SIGTERM and 130 by Ctrl-C, in good
            order; N after 'exit N'. Of status: 0 all is well, 1 the gateway runs and
            something is wrong (a heap failed, hangs or waits; a bundle does not run), 3 no
            gateway runs there, 4 it does not answer in time or may not be asked. Of
            --attach: also 3 and 4.
            Environment: JAVA_HOME, a JDK of 25 or later; JAVA_OPTS, more options for it;
            both also in bin/setenv.""";

    static CommandLine parse(List<String> arguments) throws Failure {
        Deque<String> rest = new ArrayDeque<>(arguments);
        Options options = new Options();
        while (!rest.isEmpty() && rest.peek().startsWith("-")) {
            options.take(rest.poll(), rest);
        }
        if (options.action == Action.RUN && "status".equals(rest.peek())) {
            rest.poll();
            options.action = Action.STATUS;
            while (!rest.isEmpty()) {
                if (!rest.peek().startsWith("-")) {
                    throw Failure.usage("status takes no argument '" + rest.peek() + "'; see --help");
                }
                options.take(rest.poll(), rest);
            }
        }
        return options.with(String.join(" ", rest).strip());
    }

    /** Options as they come. */
    private static final class Options {
        private Action action = Action.RUN;
        private boolean verbose;
        private boolean json;
        private Optional<String> socket = Optional.empty();

        void take(String option, Deque<String> rest) throws Failure {
            switch (option) {
                case "-h", "--help" -> action = Action.HELP;
                case "--version" -> choose(Action.VERSION, option);
                case "-v", "--verbose" -> verbose = true;
                case "--daemon" -> choose(Action.DAEMON, option);
                case "--attach" -> choose(Action.ATTACH, option);
                case "--json" -> json = true;
                case "--socket" -> {
                    if (rest.isEmpty()) {
                        throw Failure.usage("--socket lacks the path of a socket; see --help");
                    }
                    take(rest.poll());
                }
                default -> {
                    if (!option.startsWith("--socket=")) {
                        throw Failure.usage("unknown option '" + option + "'; see --help");
                    }
                    take(option.substring("--socket=".length()));
                }
            }
        }

        private void take(String path) throws Failure {
            if (socket.isPresent() || path.isBlank()) {
                throw Failure.usage("--socket takes one path, once; see --help");
            }
            socket = Optional.of(path);
        }

        private void choose(Action chosen, String option) throws Failure {
            if (action != Action.RUN && action != chosen && action != Action.HELP) {
                throw Failure.usage(option + " does not go with another action; see --help");
            }
            action = action == Action.HELP ? action : chosen;
        }

        CommandLine with(String command) throws Failure {
            if (action == Action.DAEMON && !command.isEmpty()) {
                throw Failure.usage("--daemon runs no command, so leave out one of the two: " + command);
            }
            if (json && action != Action.STATUS && action != Action.HELP) {
                throw Failure.usage("--json belongs to status; see --help");
            }
            return new CommandLine(
                    action, verbose, json, socket, command.isEmpty() ? Optional.empty() : Optional.of(command));
        }
    }
}
