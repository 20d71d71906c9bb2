// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.ops4j.pax.exam.CoreOptions.bundle;
import static org.ops4j.pax.exam.CoreOptions.systemProperty;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.inject.Inject;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapInfo;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.itests.unruly.UnrulyHeap;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.wiring.BundleWiring;

/** Tests of heaps that arrive and leave while clients allocate as fast as they can. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class HotPlugLoadIT {
    private static final String ROUNDS = "hot.plug.rounds";
    private static final int LIVES = 40;

    @Inject
    private BundleContext context;

    private Framework framework;
    private Bundle client;

    @Configuration
    public Option[] container() {
        return new Option[] {
            Gateway.options(),
            bundle(Gateway.dropIn("heap-tck").toUri().toString()),
            systemProperty(ROUNDS).value(System.getProperty(ROUNDS, "1000"))
        };
    }

    @Before
    public void start_a_client() throws Exception {
        framework = new Framework(context);
        client = framework.startEmptyBundle("org.example.client");
    }

    @After
    public void uninstall_the_client() throws Exception {
        client.uninstall();
    }

    @Test
    public void a_heap_leaves_while_eight_threads_allocate() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        Bundle bundle = framework.start(TestBundle.unrulyHeap());
        framework.openWhatIsOpenedOnce();
        ProcessState before = ProcessState.now();
        AtomicLong refused = new AtomicLong();
        try (Load load = new Load(8, turn -> {
            AllocationRequest request = turn % 4 == 0 ? Unruly.request(UnrulyHeap.LINGER) : Unruly.request();
            try (DmaBuf buffer = broker.allocate(request)) {
                assertEquals(UnrulyHeap.NAME, buffer.heapName());
            } catch (HeapException e) {
                assertEquals(Errno.ENODEV, e.errno());
                assertEquals(Optional.of(UnrulyHeap.NAME), e.heap());
                assertTrue(e.getMessage(), e.getMessage().startsWith("heap 'unruly': "));
                refused.incrementAndGet();
            }
        })) {
            for (int life = 0; life < LIVES; life++) {
                Unruly heap = new Unruly(context);
                Framework.await(true, () -> heap.entered() > 100);
                bundle.stop();
                long entered = heap.entered();
                long refusals = refused.get();
                Framework.await(true, () -> refused.get() > refusals + 100);
                assertEquals("calls that came in after the drain", entered, heap.entered());
                assertEquals("calls inside after the drain", 0, heap.late());
                bundle.start();
            }
            load.stop();
        }
        assertEquals(0, framework.charged(UnrulyHeap.NAME));
        before.assertNothingLeft();
        bundle.uninstall();
    }

    /** The default number of rounds; the system property {@code hot.plug.rounds} overrides it. */
    @Test
    public void a_thousand_heaps_that_came_and_went_under_load_leave_nothing() throws Exception {
        int rounds = Integer.getInteger(ROUNDS);
        HeapBroker broker = Framework.broker(client.getBundleContext());
        AtomicLong fromVendor = new AtomicLong();
        AtomicLong fromSystem = new AtomicLong();
        AllocationRequest request = AllocationRequest.of(8192).withHeaps("acme", UnrulyHeap.NAME, "system");
        Load.Call call = _ -> {
            try (Arena arena = Arena.ofConfined();
                    DmaBuf buffer = broker.allocate(request)) {
                buffer.map(Access.READ_WRITE, arena);
                try (OwnedFd descriptor = buffer.exportFd()) {
                    assertTrue(descriptor.fd() >= 0);
                }
                (buffer.heapName().equals("system") ? fromSystem : fromVendor).incrementAndGet();
            }
        };
        try (Load warmUp = new Load(4, call)) { // creates objects that are created only once
            rounds(10, fromVendor, new ArrayList<>());
            warmUp.stop();
        }
        framework.openWhatIsOpenedOnce();
        awaitOnlySystem();
        ProcessState before = ProcessState.now();
        long descriptors = descriptors();
        Set<String> threads = threads();

        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        long start = System.nanoTime();
        try (Load load = new Load(4, call)) {
            rounds(rounds, fromVendor, loaders);
            load.stop();
        }
        System.out.println(rounds + " rounds in " + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start) + " ms: "
                + fromVendor + " buffers from heaps that came and went, " + fromSystem + " from the system heap");

        awaitOnlySystem();
        awaitCollected(loaders);
        before.assertNothingLeft();
        Framework.await(
                Set.of(),
                () -> threads().stream()
                        .filter(thread -> !threads.contains(thread))
                        .collect(Collectors.toSet()));
        Framework.await(true, () -> descriptors() <= descriptors);
    }

    @Test
    public void two_hundred_clients_that_went_with_everything_open_leave_nothing() throws Exception {
        HeapBroker broker = Framework.broker(client.getBundleContext());
        clients(2); // creates objects that are created only once
        ProcessState before = ProcessState.now();
        List<WeakReference<ClassLoader>> loaders;
        try (Load load =
                new Load(2, _ -> broker.allocate(AllocationRequest.of(1)).close())) {
            loaders = clients(200);
            load.stop();
        }
        awaitOnlySystem();
        awaitCollected(loaders);
        before.assertNothingLeft();
        assertEquals(List.of(), List.copyOf(context.getServiceReferences(PublishedBuffer.class, null)));
    }

    /** Clients that arrive, open one resource of each kind, and leave. */
    private List<WeakReference<ClassLoader>> clients(int rounds) throws Exception {
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        try (CapturedLog log = new CapturedLog()) { // the broker logs each time that it takes resources back
            for (int round = 0; round < rounds; round++) {
                Bundle visitor = framework.start(TestBundle.client("org.example.visitor"));
                loaders.add(
                        new WeakReference<>(visitor.adapt(BundleWiring.class).getClassLoader()));
                HeapBroker broker = Framework.broker(visitor.getBundleContext());
                DmaBuf buffer = broker.allocate(AllocationRequest.of(8192));
                buffer.newReference();
                buffer.beginCpuAccess(Access.READ);
                buffer.exportFd();
                broker.publish(buffer, "frame");
                visitor.uninstall();
            }
            assertEquals(rounds, log.lines("has stopped: took back").size());
        }
        return loaders;
    }

    private static void awaitCollected(List<WeakReference<ClassLoader>> loaders) throws Exception {
        Framework.await(0L, () -> {
            System.gc();
            return loaders.stream().filter(loader -> loader.get() != null).count();
        });
    }

    /**
     * In each round, a heap is installed, serves one buffer and is removed. The rounds alternate between the vendor's
     * heap, a component whose service has a class of heap-linux, and one whose service has its own class.
     */
    private void rounds(int rounds, AtomicLong buffers, List<WeakReference<ClassLoader>> loaders) throws Exception {
        TestBundle own = TestBundle.unrulyHeap();
        for (int round = 0; round < rounds; round++) {
            long given = buffers.get();
            Bundle vendor;
            if (round % 2 == 0) {
                vendor = framework.install(Gateway.dropIn("vendor-heap"));
                vendor.start();
            } else {
                vendor = framework.start(own);
            }
            loaders.add(new WeakReference<>(vendor.adapt(BundleWiring.class).getClassLoader()));
            while (buffers.get() == given) {
                Thread.sleep(0, 50_000);
            }
            if (round % 3 == 0) {
                vendor.stop();
            }
            vendor.uninstall();
        }
    }

    private void awaitOnlySystem() throws Exception {
        Framework.await(
                List.of("system: 0 buffers, 0 bytes"),
                () -> framework.heaps().stream().map(HotPlugLoadIT::figures).toList());
    }

    private static String figures(HeapInfo heap) {
        return heap.name() + ": " + heap.charged().liveBuffers() + " buffers, "
                + heap.charged().liveBytes() + " bytes";
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> list = Files.list(Path.of("/proc/self/fd"))) {
            return list.count();
        }
    }

    /**
     * Returns the threads by name. Threads of the test's remote control are left out, because they start and end at any
     * time.
     */
    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> !name.startsWith("RMI "))
                .collect(Collectors.toSet());
    }
}
