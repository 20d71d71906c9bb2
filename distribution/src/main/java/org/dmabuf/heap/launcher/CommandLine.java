// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Parsed command line of the launcher.
 *
 * <p>Options come first. The first word that is not an option starts a Gogo command line, which has the rest of the
 * words. So the options of a command need no quotes: {@code gateway dmaheap:list -a}.
 *
 * @param action the requested action
 * @param verbose whether to log more and to print stack traces
 * @param json whether to print the status as JSON
 * @param socket the control socket to open or to contact instead of the default one
 * @param command the command line to run; without it, standard input is the shell's or a script
 */
record CommandLine(Action action, boolean verbose, boolean json, Optional<String> socket, Optional<String> command) {
    /** Actions of the launcher. */
    enum Action {
        /** Print the usage. */
        HELP,
        /** Print the versions. */
        VERSION,
        /** Run a gateway for a shell, a script or a command. */
        RUN,
        /** Run a gateway without a terminal and a command until a signal arrives. */
        DAEMON,
        /** Print the state of a running gateway. */
        STATUS,
        /** Run a shell or a command in a running gateway. */
        ATTACH
    }

    static final String USAGE = """
            usage: gateway [-v] [--daemon | --attach] [--socket PATH] [command ...]
                   gateway [--socket PATH] status [--json]

              gateway               opens a shell; 'exit' or Ctrl-D ends it
              gateway command ...   runs one command line and prints its result
              gateway < script      runs each line of standard input, up to the first that
                                    fails
              gateway --daemon      runs without a terminal until it gets a signal, as a
                                    service

            for a running gateway, which is a service or in another terminal:

              gateway status        prints its state, even while a shell or a heap hangs
              gateway --attach      opens a shell in it; 'exit' or Ctrl-D ends the shell,
                                    never the gateway; Ctrl-\\ leaves the shell even if
                                    a command in it hangs
              gateway --attach command ...
                                    runs one command line in it; standard input is read
                                    only if the command reads it
              gateway --attach < script
                                    runs each line of standard input in it, up to the first
                                    that fails

              -v, --verbose         log more, and print the stack trace of a failure
              --socket PATH         the control socket to contact; with --daemon or a shell,
                                    the one to open
              --json                print the state as one JSON object
              --version             print the versions of the gateway and of Java
              -h, --help            print this

            The words of a command are joined by spaces and read by the shell's own rules,
            so quote characters that sh interprets: gateway 'dmaheap:list | grep system'.
            'gateway help' lists the commands. If the shell has a command named 'status',
            gateway 'SCOPE:status' runs it.

            In each of these modes a jar in the folder 'deploy' runs while it is there, and
            a change of a file in 'etc' takes effect without a restart.

            An attached shell runs code with the gateway's rights, so only the gateway's own
            user and root may attach. The control socket is control.socket of
            etc/gateway.properties, else $RUNTIME_DIRECTORY/control for a service, else
            $XDG_RUNTIME_DIR/dmaheap-gateway/control, else
            /tmp/dmaheap-gateway-UID/control. Without --socket, a client contacts the first
            of these that exists; a service's in /run/dmaheap-gateway comes first.

            Exit status: 0 success, 1 a command failed or the gateway did not start, 2 the
            options are invalid; after a clean stop, 143 for SIGTERM and 130 for Ctrl-C;
            N after 'exit N'. For status: 0 all is well, 1 a heap failed, was refused, hangs
            or waits, or a bundle does not run, 3 no gateway runs, 4 the gateway does not
            answer in time or access is denied. For --attach: also 3 and 4.
            Environment: JAVA_HOME, a JDK 25 or later; JAVA_OPTS, more options for Java.
            Both can also be set in bin/setenv.""";

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

    /** Collector of the options. */
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
                        throw Failure.usage("--socket needs the path of a socket; see --help");
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
                throw Failure.usage("--socket takes one path and may occur once; see --help");
            }
            socket = Optional.of(path);
        }

        private void choose(Action chosen, String option) throws Failure {
            if (action != Action.RUN && action != chosen && action != Action.HELP) {
                throw Failure.usage(option + " cannot be combined with another action; see --help");
            }
            action = action == Action.HELP ? action : chosen;
        }

        CommandLine with(String command) throws Failure {
            if (action == Action.DAEMON && !command.isEmpty()) {
                throw Failure.usage("--daemon cannot be combined with a command: " + command);
            }
            if (json && action != Action.STATUS && action != Action.HELP) {
                throw Failure.usage("--json is an option of status only; see --help");
            }
            return new CommandLine(
                    action, verbose, json, socket, command.isEmpty() ? Optional.empty() : Optional.of(command));
        }
    }
}
