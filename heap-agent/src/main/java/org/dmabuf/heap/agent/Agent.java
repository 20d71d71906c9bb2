// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.PeerCredentials;
import org.dmabuf.heap.linux.socket.UserDatabase;

/**
 * Process that answers the ioctls of unmodified programs on device nodes of heaps, and asks the gateway for the memory.
 * It runs no vendor's code, because it may read the memory of its clients.
 */
public final class Agent implements AutoCloseable {
    /** Remedy for the lack of the right to trace a client. */
    static final String RIGHT = "give the agent the capabilities SYS_PTRACE and DAC_READ_SEARCH, as in"
            + " lib/systemd/dmaheap-agent.service, or run it as the client's user with kernel.yama.ptrace_scope = 0";

    private static final String USAGE = """
            dmaheap-agent [SETTINGS]

            Serves device nodes of heaps to unmodified programs. SETTINGS is a file; without it, etc/agent.properties
            in the gateway's folder. The agent runs until a signal ends it.
              --help     prints this text
              --version  prints the version
            """;

    private static final QuietLog LOG = new QuietLog(Agent.class);
    private static final int USER_CONNECTIONS = 16;
    private static final int RUNTIME_CONNECTIONS = 64;

    private final Clients clients;
    private final List<Acceptor> acceptors = new ArrayList<>();

    private Agent(AgentSettings settings) {
        Gateway gateway = new Gateway(settings.gatewaySocket(), settings.gatewayWait(), settings.gatewayTimeout());
        clients = new Clients(gateway, new Limit<>(settings.listeners(), settings.clientListeners()), settings.calls());
    }

    /**
     * Opens the sockets and begins to serve.
     *
     * @throws FdSocketException when a socket cannot be opened
     */
    static Agent start(AgentSettings settings) {
        Agent agent = new Agent(settings);
        boolean started = false;
        try {
            agent.open(settings);
            started = true;
            return agent;
        } finally {
            if (!started) {
                agent.close();
            }
        }
    }

    private void open(AgentSettings settings) {
        if (settings.runSocket().isPresent()) {
            acceptors.add(new Acceptor(
                    launchers(settings.runSocket().get(), settings),
                    _ -> true, // the mode of the socket decides
                    USER_CONNECTIONS,
                    new LauncherConversation(clients, settings.nodes())));
        }
        if (settings.ociSocket().isPresent()) {
            acceptors.add(new Acceptor(
                    FdListener.bindStream(settings.ociSocket().get()),
                    peer -> isRuntime(peer, settings.ociUser()),
                    RUNTIME_CONNECTIONS,
                    new RuntimeConversation(clients, settings.nodes())));
        }
    }

    private static FdListener launchers(Path path, AgentSettings settings) {
        if (settings.runForAll()) {
            return FdListener.bindForAll(path);
        }
        return settings.runGroup().isPresent()
                ? FdListener.bindForGroup(path, settings.runGroup().getAsInt())
                : FdListener.bind(path);
    }

    /** The metadata names the client, so only the runtime may send it. */
    private static boolean isRuntime(PeerCredentials peer, int user) {
        boolean runtime = peer.uid() == user;
        if (!runtime) {
            LOG.warn("{} is refused: oci.runtime.uid is {}", peer, Integer.toUnsignedString(user));
        }
        return runtime;
    }

    /** {@return number of listeners that it serves} */
    int clients() {
        return clients.count();
    }

    /** Closes the sockets, then ends the service of all clients. Their calls on nodes fail with ENOSYS from then on. */
    @Override
    public void close() {
        acceptors.forEach(Acceptor::close);
        clients.close();
    }

    /**
     * Runs until a signal ends the process. Exits with 2 for invalid settings or arguments, and with 1 if a socket
     * cannot be opened.
     *
     * @param arguments at most one: the file with the settings
     */
    public static void main(String[] arguments) {
        int status = run(List.of(arguments), System.out, System.err);
        if (status >= 0) {
            System.exit(status);
        }
    }

    /** {@return exit status, or a negative number if the agent serves in threads of its own} */
    private static int run(List<String> arguments, PrintStream out, PrintStream err) {
        if (arguments.equals(List.of("--help"))) {
            out.print(USAGE);
            return 0;
        }
        if (arguments.equals(List.of("--version"))) {
            String version = Agent.class.getPackage().getImplementationVersion();
            out.println("dmaheap-agent " + (version == null ? "unknown version" : version));
            return 0;
        }
        if (arguments.size() != 1 || arguments.getFirst().startsWith("-")) {
            err.print(USAGE);
            return 2;
        }
        try {
            serve(Path.of(arguments.getFirst()));
            return -1;
        } catch (InvalidSetting e) {
            err.println(e.getMessage());
            return 2;
        } catch (IOException e) {
            err.println("reading " + e.getMessage() + " failed; give another file");
            return 2;
        } catch (FdSocketException | IllegalStateException e) {
            err.println("starting the agent failed: " + e.getMessage());
            return 1;
        } catch (InterruptedException e) {
            return 1;
        }
    }

    private static void serve(Path file) throws InvalidSetting, IOException, InterruptedException {
        AgentSettings settings = AgentSettings.load(file, UserDatabase.local());
        Agent agent = start(settings);
        Runtime.getRuntime().addShutdownHook(new Thread(agent::close, "end of the agent"));
        LOG.info(
                "the agent is up, process {}, nodes {}",
                ProcessHandle.current().pid(),
                settings.nodes().values());
        new CountDownLatch(1).await(); // a signal ends the process
    }
}
