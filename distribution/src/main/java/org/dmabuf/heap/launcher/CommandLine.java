// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Parsed command line of the launcher.
 *
 * <p>Options come first. The first word that is not an option starts a Gogo command line, which has the rest of the
 * words. So the options of a command need no quotes: {@code gateway dmaheap:list -a}.
 *
 * @param action the requested action
 * @param verbose whether to log more and to print stack traces
 * @param json whether to print the status as JSON
 * @param paths paths by option: {@code --socket}, and those of {@link Home#of}
 * @param command the command line to run; without it, standard input is the shell's or a script
 */
record CommandLine(Action action, boolean verbose, boolean json, Map<String, String> paths, Optional<String> command) {
    private static final String SOCKET = "--socket";

    /** Options that take a path. */
    private static final Set<String> PATHS = Set.of(SOCKET, "--etc", "--deploy", "--state", "--run");

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
            usage: gateway [-v] [--daemon | --attach] [PATHS] [command ...]
                   gateway [PATHS] status [--json]

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
              --etc DIR             the folder of the configuration; default: etc of the
                                    gateway's folder
              --deploy DIR          the folder of your jars; default: deploy of the same
              --state DIR           the folder for files that the gateway writes; default:
                                    $STATE_DIRECTORY, else the gateway's folder
              --run DIR             the folder of the control socket
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
            etc/gateway.properties, else 'control' in the folder of --run, else
            $RUNTIME_DIRECTORY/control for a service, else
            $XDG_RUNTIME_DIR/dmaheap-gateway/control, else
            /tmp/dmaheap-gateway-UID/control. Without a path, a client contacts the first of
            the last three that exists; a service's in /run/dmaheap-gateway comes first.

            If users other than root and the gateway's own can write to 'etc' or 'deploy',
            the gateway does not start.

            Exit status: 0 success, 1 a command failed or the gateway did not start, 2 no Java or
            invalid options; after a clean stop, 143 for SIGTERM and 130 for Ctrl-C;
            N after 'exit N'. For status: 0 all is well, 1 a heap failed, was refused, hangs
            or waits, or a bundle does not run, 3 no gateway runs, 4 the gateway does not
            answer in time or access is denied. For --attach: also 3 and 4.
            Environment: JAVA_HOME, a JDK 25 or later; JAVA_OPTS, more options for Java.
            DMAHEAP_ETC, DMAHEAP_DEPLOY, DMAHEAP_STATE and DMAHEAP_RUN, the folders above;
            the options take precedence. DMAHEAP_ALLOW_SHARED_FOLDERS=true permits folders
            that others can write to. bin/setenv can set all of these.""";

    CommandLine {
        paths = Map.copyOf(paths);
    }

    /** The control socket to open or to contact instead of the default one. */
    Optional<String> socket() {
        return Optional.ofNullable(paths.get(SOCKET));
    }

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
        private final Map<String, String> paths = new HashMap<>();

        void take(String option, Deque<String> rest) throws Failure {
            switch (option) {
                case "-h", "--help" -> action = Action.HELP;
                case "--version" -> choose(Action.VERSION, option);
                case "-v", "--verbose" -> verbose = true;
                case "--daemon" -> choose(Action.DAEMON, option);
                case "--attach" -> choose(Action.ATTACH, option);
                case "--json" -> json = true;
                default -> takePath(option, rest);
            }
        }

        private void takePath(String option, Deque<String> rest) throws Failure {
            String[] parts = option.split("=", 2);
            String name = parts[0];
            if (!PATHS.contains(name)) {
                throw Failure.usage("unknown option '" + option + "'; see --help");
            }
            if (parts.length == 1 && rest.isEmpty()) {
                throw Failure.usage(name + " needs a path; see --help");
            }
            String path = parts.length == 1 ? rest.poll() : parts[1];
            if (path.isBlank() || paths.put(name, path) != null) {
                throw Failure.usage(name + " takes one path and may occur once; see --help");
            }
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
                    action, verbose, json, paths, command.isEmpty() ? Optional.empty() : Optional.of(command));
        }
    }
}
