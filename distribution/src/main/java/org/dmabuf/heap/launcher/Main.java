// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Entry point of the gateway's command line, which {@link CommandLine#USAGE} describes. */
public final class Main {
    // Taken before Gogo replaces them by streams that differ for each thread.
    private static final InputStream IN = System.in;
    private static final Output OUTPUT = new Output(new FileOutputStream(FileDescriptor.out));
    private static final PrintStream OUT =
            new PrintStream(new BufferedOutputStream(OUTPUT), true, System.out.charset());
    private static final PrintStream ERR = JournalStream.of(System.err, System.getenv("JOURNAL_STREAM"));

    private static final String NO_SOCKET = "--socket has no effect on a gateway that runs one command or a script; use"
            + " --attach to run them in the gateway that listens there";

    /** Set when a signal ends the process. A failure after that is a consequence of the signal and is not reported. */
    private static volatile boolean interrupted;

    private Main() {}

    /**
     * Exits with 0 on success, with 1 if a command failed or the gateway did not start, and with 2 if the arguments are
     * invalid. It exits with another number if {@code exit} or a running gateway returns one. A signal ends it with 128
     * plus the signal's number. It always exits: a thread that a bundle left behind does not keep the process alive.
     *
     * @param arguments options, followed by the words of a command
     */
    public static void main(String[] arguments) {
        int status = 0;
        boolean verbose = false;
        try {
            CommandLine line = CommandLine.parse(List.of(arguments));
            verbose = line.verbose();
            status = run(line);
        } catch (Failure e) {
            status = e.status();
            if (!interrupted) {
                print(e, verbose);
            }
        } catch (InterruptedException | RuntimeException | Error e) {
            status = 1;
            if (!interrupted) {
                ERR.println("the launcher itself failed: " + Sentence.of(e));
                Printable.of(e).printStackTrace(ERR);
            }
        }
        System.exit(status);
    }

    private static int run(CommandLine line) throws Failure, InterruptedException {
        return switch (line.action()) {
            case HELP -> print(CommandLine.USAGE);
            case VERSION -> print("gateway " + version() + ", Java " + System.getProperty("java.version"));
            case STATUS, ATTACH -> Attachment.run(line, Home.ofThisJar(line.paths()), IN, OUTPUT, ERR);
            case RUN, DAEMON -> runGateway(line);
        };
    }

    private static int print(String text) throws Failure {
        OUT.println(text);
        OUTPUT.requireWhole();
        return 0;
    }

    /** Returns the version in the manifest, which is missing if the launcher runs from a folder of classes. */
    private static String version() {
        String version = Main.class.getPackage().getImplementationVersion();
        return version == null ? "unknown version" : version;
    }

    private static int runGateway(CommandLine line) throws Failure, InterruptedException {
        System.setErr(ERR); // before slf4j-simple takes it
        Home home = Home.ofThisJar(line.paths());
        Mode mode = Mode.of(line);
        mode.applyToLog(line.verbose(), home.log());
        if (!"true".equals(System.getenv(FolderAccess.PERMISSION))) {
            FolderAccess.requireUnshared(home.etc());
            FolderAccess.requireUnshared(home.deploy());
        }
        if (home.run().isPresent() && mode != Mode.BATCH) {
            create(home.run().get());
        }
        DescriptorTrial.run();
        ThreadTrial.run();
        Map<String, String> settings = settings(line, home, mode);
        settings.put("gateway.etc", home.etc().toString());
        try (BundleCache cache = BundleCache.create(home.cache(), Path.of(System.getProperty("java.io.tmpdir")))) {
            settings.put("gosh.home", shellHome(home, cache).toString());
            return runGateway(line, home, mode, settings, cache);
        }
    }

    private static int runGateway(
            CommandLine line, Home home, Mode mode, Map<String, String> settings, BundleCache cache)
            throws Failure, InterruptedException {
        Logger log = LoggerFactory.getLogger("org.dmabuf.heap.gateway"); // created after its levels are set
        try (ConfigurationStore _ =
                        mode.keepsConfigurations() ? ConfigurationStore.open(home.configurations(), settings) : null;
                Gateway gateway = new Gateway(home.bundles(), home.deploy(), cache, settings)) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> interrupt(gateway), "end of the gateway"));
            Commands commands;
            switch (mode) {
                case INTERACTIVE -> {
                    commands = new Commands(() -> LocalShell.stop(gateway.context()));
                    if (!gateway.start(commands, log::warn)) {
                        throw Failure.of("no shell is active; give a command, or commands on standard input");
                    }
                    LocalShell.awaitEnd();
                }
                case BATCH -> {
                    commands = new Commands(() -> {});
                    gateway.start(commands, log::warn);
                    execute(line, gateway, commands, Settings.ofSession(settings));
                }
                case DAEMON -> {
                    commands = new Commands(gateway::stop);
                    gateway.start(commands, log::warn);
                    gateway.announce();
                    log.info(
                            "the gateway is up, process {}",
                            ProcessHandle.current().pid());
                    gateway.waitForStop();
                }
                default -> throw new IllegalStateException("no such mode: " + mode);
            }
            return commands.status();
        }
    }

    private static Map<String, String> settings(CommandLine line, Home home, Mode mode) throws Failure {
        if (mode == Mode.BATCH && line.socket().isPresent()) {
            throw Failure.usage(NO_SOCKET);
        }
        Map<String, String> settings = Settings.load(home.settings(), System.getProperties());
        mode.applyToShell(settings);
        mode.applyToControl(settings);
        settings.put("gateway.version", version());
        settings.put(
                "control.variables",
                String.join(",", Settings.ofSession(settings).keySet()));
        home.state().ifPresent(folder -> settings.put("gateway.state", folder.toString()));
        Attachment.applySocket(line, home, settings);
        return settings;
    }

    private static void create(Path folder) throws Failure {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw Failure.of("creating " + folder + " failed: " + Sentence.of(e), e);
        }
    }

    /** Returns a folder in which {@code etc} is the configuration: the shell reads {@code etc/gosh_profile} there. */
    private static Path shellHome(Home home, BundleCache cache) throws Failure {
        if (home.etc().equals(home.folder().resolve("etc"))) {
            return home.folder();
        }
        Path folder = cache.folder().resolve("shell");
        create(folder);
        try {
            Files.createSymbolicLink(folder.resolve("etc"), home.etc());
            return folder;
        } catch (IOException e) {
            throw Failure.of("linking " + home.etc() + " for the shell failed: " + Sentence.of(e), e);
        }
    }

    private static void execute(CommandLine line, Gateway gateway, Commands commands, Map<String, String> variables)
            throws Failure {
        boolean script = line.command().isEmpty();
        InputStream in = script ? InputStream.nullInputStream() : IN; // a command must not consume the script's lines
        try (Console console = new Console(gateway.context(), in, OUT, ERR)) {
            console.set(variables);
            if (script) {
                Script.run(new BufferedReader(new InputStreamReader(IN)), console::run, commands::exitSaid);
            } else {
                console.run(line.command().get());
            }
        }
        OUT.flush();
        OUTPUT.requireWhole();
    }

    /** Runs at the end of the process for any reason. Unless the reason is a signal, the gateway is already closed. */
    private static void interrupt(Gateway gateway) {
        interrupted = true;
        LocalShell.end(gateway.context());
        gateway.close();
    }

    private static void print(Failure failure, boolean verbose) {
        ERR.println(failure.getMessage());
        if (verbose && failure.getCause() != null) {
            Printable.of(failure.getCause()).printStackTrace(ERR);
        }
    }
}
