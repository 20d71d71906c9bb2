// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dmabuf.heap.stress.client.Client;
import org.dmabuf.heap.stress.forgetful.Forgetful;
import org.dmabuf.heap.stress.heap.FaultyHeap;
import org.dmabuf.heap.stress.hostile.Hostile;
import org.dmabuf.heap.tck.ProcessState;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;

/**
 * The soak: a gateway under all loads at once. Bundles use buffers at random, heaps fail at random, bundles and
 * configurations come and go. Then everything is closed, and every counter must be zero.
 */
public final class Soak {
    private static final int CLIENTS = 4;
    private static final int HEAPS = 3;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final String BROKER = "org.dmabuf.heap.broker";
    private static final String SYSTEM = "org.dmabuf.heap.system";
    private static final Pattern MORE_LOST = Pattern.compile(" lost (\\d+) more buffers");

    private final Path home;
    private final Duration duration;
    private final List<String> expected;
    private final Tally tally;
    private final Path log;
    private final List<Thread> threads = new ArrayList<>();

    /**
     * Starts nothing yet.
     *
     * @param home the folder of the built gateway
     * @param duration the shortest time of the load; the shutdown takes some seconds more
     * @param expected operations that must occur at least once; the load continues until then, for a minute at most,
     *     because a busy machine performs few operations in a short soak
     * @param seed the seed of all random numbers
     * @param log the log of the gateway, from level warn on
     */
    Soak(Path home, Duration duration, List<String> expected, long seed, Path log) {
        this.log = log;
        this.home = home;
        this.duration = duration;
        this.expected = expected;
        this.tally = new Tally(seed);
    }

    /**
     * Runs the soak from a command line; exits with 1 when a check failed.
     *
     * @param arguments the folder of the gateway, the seconds, and optionally a seed
     */
    public static void main(String[] arguments) {
        int status = 1;
        try {
            long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : System.nanoTime();
            Soak soak = new Soak(
                    Path.of(arguments[0]).toRealPath(),
                    Duration.ofSeconds(Long.parseLong(arguments[1])),
                    List.of(),
                    seed,
                    Path.of(System.getProperty("org.slf4j.simpleLogger.logFile")));
            soak.run();
            List<String> failures = soak.tally.failures();
            failures.forEach(System.out::println);
            System.out.println(failures.isEmpty() ? "nothing is left" : "FAILED, seed " + seed);
            status = failures.isEmpty() ? 0 : 1;
        } catch (Exception e) {
            e.printStackTrace();
        }
        System.exit(status); // ends the process even if threads hang
    }

    Tally tally() {
        return tally;
    }

    /** Runs the whole soak; {@link #tally()} then has the results. */
    void run() throws IOException, BundleException, InterruptedException {
        System.out.println("soak of " + duration.toSeconds() + " s, seed " + tally.seed());
        try {
            work();
        } finally {
            System.out.print(tally.table());
        }
    }

    private void work() throws IOException, BundleException, InterruptedException {
        Map<String, byte[]> heaps = new TreeMap<>();
        for (int i = 0; i < HEAPS; i++) {
            String name = "soak.heap" + i;
            // Two heaps with one name: one of them waits until the other leaves.
            heaps.put(name, GatewayInside.jar(name, FaultyHeap.class, Map.of("Soak-Heap", "faulty-" + i % 2)));
        }
        heaps.put("acme", Files.readAllBytes(home.resolve("examples/vendor-heap.jar")));
        Map<String, byte[]> clients = new TreeMap<>();
        for (int i = 0; i < CLIENTS; i++) {
            String name = "soak.client" + i;
            clients.put(name, GatewayInside.jar(name, Client.class, Map.of()));
        }
        // Separate from the clients, because its processes take longer to start than a client runs.
        Map<String, byte[]> hostiles =
                Map.of("soak.hostile", GatewayInside.jar("soak.hostile", Hostile.class, Map.of()));
        try (GatewayInside gateway = new GatewayInside(home, tally)) {
            Onlookers onlookers = new Onlookers(tally, gateway, gateway.eventAdmin());
            warmUp(gateway, onlookers, heaps, clients);
            ProcessState before = ProcessState.now();
            List<String> threadsBefore = threadNames();

            HotPlug heapPlug = new HotPlug("heap", gateway, tally, heaps);
            HotPlug clientPlug = new HotPlug("client", gateway, tally, clients);
            HotPlug hostilePlug = new HotPlug("hostile bundle", gateway, tally, hostiles);
            heapPlug.startAll();
            clientPlug.startAll();
            hostilePlug.startAll();
            thread("soak heaps", heapPlug);
            thread("soak clients", clientPlug);
            thread("soak operator", () -> operate(gateway, onlookers));
            long end = System.nanoTime() + duration.toNanos();
            while (isToGoOn(end) && tally.failures().isEmpty()) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
            }
            tally.end();
            for (Thread thread : threads) {
                thread.join(TimeUnit.NANOSECONDS.toMillis(PATIENCE_NANOS));
                if (thread.isAlive()) {
                    Throwable where = new AssertionError("does not end");
                    where.setStackTrace(thread.getStackTrace());
                    tally.fail(thread.getName(), where);
                }
            }
            onlookers.end();
            hostilePlug.stopAll();
            hostilePlug.uninstallAll();
            end(gateway, heapPlug, clientPlug, before, threadsBefore);
        }
    }

    /** Lists the resources that are left when everything is closed. */
    private void end(
            GatewayInside gateway, HotPlug heaps, HotPlug clients, ProcessState before, List<String> threadsBefore)
            throws IOException, BundleException, InterruptedException {
        BrokerInside broker = new BrokerInside(gateway.context());
        empty(
                "threads of clients",
                () -> threadNames().stream()
                        .filter(name -> name.startsWith("soak soak.client"))
                        .toList());
        gateway.configure(BROKER, "drain.ms = 2000\n");
        empty("charged to clients that have closed or lost all", () -> broker.buffersOf("soak.client"));
        forget(gateway, broker);
        clients.stopAll();
        clients.uninstallAll();
        heaps.uninstallAll();
        empty("charged by the broker", broker::leftOver);
        empty(
                "buffers of the faulty heaps",
                () -> tally.heapBuffers() == 0 ? List.of() : List.of(tally.heapBuffers() + " made and not released"));
        restartBroker(gateway); // after the first export it has a descriptor and a thread
        empty("descriptors and mappings", () -> before.leftIn(ProcessState.now()));
        empty("threads", () -> {
            List<String> now = new ArrayList<>(threadNames());
            threadsBefore.forEach(now::remove);
            return now;
        });
        empty("class loaders of heaps", heaps::loaders);
        empty("class loaders of clients", clients::loaders);
    }

    /**
     * Checks that buffers which a bundle loses are detected, reported and released, each once, while the bundle runs.
     */
    private void forget(GatewayInside gateway, BrokerInside broker)
            throws IOException, BundleException, InterruptedException {
        restartBroker(gateway); // the stop reports the sums of the current interval
        long found = reportedLost();
        if (found > tally.forgotten()) {
            tally.fail(
                    "the end",
                    new AssertionError(found + " references were reported as lost, of " + tally.forgotten()
                            + " that were; see " + log));
        }
        System.out.println("references lost: " + tally.forgotten() + ", found before their bundle stopped: " + found);
        long before = tally.forgotten();
        Bundle forgetful =
                gateway.install("soak.forgetful", GatewayInside.jar("soak.forgetful", Forgetful.class, Map.of()));
        forgetful.start();
        empty("charged to a bundle that has lost all", () -> broker.buffersOf("soak.forgetful"));
        restartBroker(gateway); // ends the interval
        long more = reportedLost() - found;
        if (more != tally.forgotten() - before) {
            tally.fail(
                    "the end",
                    new AssertionError(more + " references were reported as lost, where " + (tally.forgotten() - before)
                            + " were; see " + log));
        }
        forgetful.uninstall();
        gateway.refresh(List.of(forgetful));
    }

    /**
     * Returns the number of reported buffers: one line for each of the first in an interval, and a line with the number
     * of the others at its end.
     */
    private long reportedLost() throws IOException {
        try (Stream<String> lines = Files.lines(log)) {
            return lines.mapToLong(Soak::reportedLost).sum();
        }
    }

    private static long reportedLost(String line) {
        Matcher more = MORE_LOST.matcher(line);
        return more.find() ? Long.parseLong(more.group(1)) : line.contains(" lost a ") ? 1 : 0;
    }

    /** Waits until no resource of a kind is left. Automatic arenas end when the garbage collector finds them. */
    private void empty(String what, Callable<List<String>> left) {
        long start = System.nanoTime();
        try {
            List<String> now = left.call();
            while (!now.isEmpty() && System.nanoTime() - start < PATIENCE_NANOS) {
                System.gc();
                LockSupport.parkNanos(20_000_000);
                now = left.call();
            }
            System.out.println("left of " + what + ": " + now.size());
            if (!now.isEmpty()) {
                tally.fail("the end", new AssertionError(what + ": " + String.join("\n      ", now)));
            }
        } catch (Exception | AssertionError e) {
            tally.fail("the end, " + what, e);
        }
    }

    private boolean isToGoOn(long end) {
        long left = end - System.nanoTime();
        return left > 0 || left > -PATIENCE_NANOS && !tally.did(expected);
    }

    /** Runs each bundle once, so that resources which the process opens permanently are open. */
    private void warmUp(
            GatewayInside gateway, Onlookers onlookers, Map<String, byte[]> heaps, Map<String, byte[]> clients)
            throws IOException, BundleException, InterruptedException {
        onlookers.turnRecording();
        onlookers.turnEventAdmin();
        HotPlug heapPlug = new HotPlug("heap", gateway, tally, heaps);
        HotPlug clientPlug = new HotPlug("client", gateway, tally, clients);
        heapPlug.startAll();
        clientPlug.startAll();
        long start = System.nanoTime();
        while (tally.operations() < 1000 && System.nanoTime() - start < PATIENCE_NANOS) {
            LockSupport.parkNanos(1_000_000);
        }
        onlookers.end();
        clientPlug.stopAll();
        restartBroker(gateway);
        clientPlug.uninstallAll();
        heapPlug.uninstallAll();
        BrokerInside broker = new BrokerInside(gateway.context());
        empty("charged after the warm-up", broker::leftOver);
        empty(
                "buffers of the faulty heaps after the warm-up",
                () -> tally.heapBuffers() == 0 ? List.of() : List.of(tally.heapBuffers() + " made and not released"));
    }

    /**
     * Changes configurations, stops and starts the gateway's own heap and the onlookers, requests listings and dumps,
     * and rarely restarts the broker.
     */
    private void operate(GatewayInside gateway, Onlookers onlookers) {
        Random random = tally.random();
        while (!tally.over()) {
            String doing = "?";
            try {
                int fate = random.nextInt(100);
                if (fate < 25) {
                    doing = "configure the broker";
                    gateway.configure(BROKER, brokerSettings(random));
                } else if (fate < 45) {
                    doing = "configure the system heap";
                    gateway.configure(SYSTEM, "heap.priority = " + random.nextInt(-3, 4) + "\n");
                } else if (fate < 55) {
                    doing = "restart the system heap";
                    gateway.bundle(SYSTEM).stop();
                    gateway.bundle(SYSTEM).start();
                } else if (fate < 80) {
                    doing = "dump";
                    List<String> wrong = new BrokerInside(gateway.context()).impossible();
                    if (!wrong.isEmpty()) {
                        tally.fail(doing, new AssertionError(String.join("\n    ", wrong)));
                    }
                } else if (fate < 83) {
                    doing = "reset the peaks";
                    new BrokerInside(gateway.context()).resetPeaks();
                } else if (fate < 88) {
                    doing = "start or stop Event Admin";
                    onlookers.turnEventAdmin();
                } else if (fate < 94) {
                    doing = "start or stop a recording";
                    onlookers.turnRecording();
                } else {
                    doing = "restart the broker";
                    restartBroker(gateway);
                }
                tally.did(doing);
            } catch (IOException | InterruptedException | BundleException | RuntimeException | Error e) {
                tally.fail(doing, e);
            }
            LockSupport.parkNanos(random.nextLong(200_000_000));
        }
    }

    /**
     * Returns settings with quotas that only some requests fit, and permissions that only some bundles have. Half of
     * all settings have quotas, and half have permissions.
     */
    private String brokerSettings(Random random) {
        int drain = random.nextInt(20) == 0 ? random.nextInt(1000) : random.nextInt(1000, 3000);
        tally.drains(drain);
        StringBuilder lines = new StringBuilder("drain.ms = " + drain + "\n");
        if (random.nextBoolean()) {
            lines.append(
                    "quota.heap = faulty-0=" + random.nextInt(1, 64) + "M system=" + random.nextInt(1, 128) + "M\n");
        }
        if (random.nextBoolean()) {
            lines.append("quota.client = soak.client0=" + random.nextInt(1, 32) + "M soak.client*=64M\n");
        }
        if (random.nextBoolean()) {
            lines.append("quota.client.on.heap = */faulty-1=" + random.nextInt(1, 16) + "M soak.client1/system=4M\n");
        }
        if (random.nextBoolean()) {
            lines.append("allow = faulty-0=soak.client0 faulty-0=soak.client1 acme=*@soak.client2 adopted=*\n");
        }
        lines.append("adopt.unsealed = " + random.nextBoolean() + "\n");
        return lines.append("allocation.sites = " + random.nextBoolean() + "\n").toString();
    }

    private void restartBroker(GatewayInside gateway) throws BundleException, InterruptedException {
        Bundle broker = gateway.bundle(BROKER);
        tally.brokerGoesOrComes();
        broker.stop();
        gateway.refresh(List.of(broker));
        broker.start();
        long start = System.nanoTime();
        while (!new BrokerInside(gateway.context()).isThere()) {
            if (System.nanoTime() - start > PATIENCE_NANOS) {
                throw new AssertionError("the broker, state " + broker.getState() + ", offers no service");
            }
            LockSupport.parkNanos(1_000_000);
        }
        tally.brokerGoesOrComes();
    }

    private void thread(String name, Runnable work) {
        threads.add(Thread.ofPlatform().name(name).daemon().start(work));
    }

    /** Removes numbers, because thread pools number their threads without end. */
    private static List<String> threadNames() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(Thread::isAlive)
                .map(Thread::getName)
                // Event Admin drops deliveries when it stops, and its own threads may then wait for ever.
                .filter(name -> !name.startsWith("EventAdminAsyncThread"))
                // Java's own thread, which waits for the exit of a process and ends a minute after the last one.
                .filter(name -> !name.startsWith("process reaper"))
                .map(name -> name.startsWith("soak ") ? name : name.replaceAll("[0-9]+", "N"))
                .sorted()
                .toList();
    }
}
