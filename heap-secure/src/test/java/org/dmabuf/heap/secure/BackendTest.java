// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.secure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.tck.Announced;
import org.dmabuf.heap.tck.FaultySyscalls;
import org.dmabuf.heap.tck.HeapContract;
import org.dmabuf.heap.tck.ProcessState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.slf4j.Logger;

/** Tests of the chosen back end for a configured word and a machine, and of its log line. */
class BackendTest {
    private static final String FOLDER = "/dev/dma_heap/";

    private final ProcessState before = ProcessState.now();
    private final Announced announced = new Announced();
    private final List<String> logged = new ArrayList<>();
    private final Logger log = (Logger) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, arguments) -> {
                logged.add(method.getName() + " " + Arrays.deepToString(arguments));
                return null;
            });

    @AfterEach
    void nothing_is_left_behind() {
        before.assertNothingLeft();
    }

    private SecureHeap start(Syscalls kernel, Map<String, ?> set) {
        return new SecureHeap(
                announced.context(), Announced.config(SecureHeap.Config.class, set), Map.of(), kernel, log);
    }

    private Map<String, Object> properties() {
        return announced.heaps().getFirst().properties();
    }

    @Test
    void the_kernels_protected_heap_is_used_and_announced_as_protected() {
        SecureHeap heap = start(kernel(true, Errno.ENOENT, "protected,trusted-ui"), Map.of("heap_mappable", true));
        Map<String, Object> properties = properties();
        assertEquals("dma-heap", properties.get("heap.backend"));
        assertEquals(true, properties.get("heap.dmabuf"));
        assertEquals(true, properties.get("heap.protected"));
        assertEquals(false, properties.get("heap.mappable"), "it is not mappable, whatever the configuration");
        assertEquals(true, properties.get("heap.restricted"));
        assertEquals(List.of(), properties.get("heap.peers"));
        assertEquals(null, properties.get("heap.emulates"));
        assertEquals(List.of(), logged);
        HeapBuffer buffer = announced.heaps().getFirst().exporter().allocate(HeapRequest.of(1));
        assertEquals(
                Errno.EINVAL,
                assertThrows(HeapException.class, () -> buffer.map(Access.READ)).errno());
        buffer.release();
        heap.withdraw();
    }

    /** Tests the code around the calls; the tests on a real kernel check the kernel's own heap. */
    @TestFactory
    Stream<DynamicTest> the_form_with_the_device_keeps_the_contract() {
        Announced made = new Announced();
        SecureHeap heap = new SecureHeap(
                made.context(),
                Announced.config(SecureHeap.Config.class, Map.of()),
                Map.of(),
                kernel(true, Errno.ENOENT, "protected,secure-video"),
                log);
        Announced.Heap service = made.heaps().getFirst();
        Map<String, Object> asMemfds = new HashMap<>(service.properties());
        asMemfds.put("heap.dmabuf", false); // a memfd of the running kernel stands for a dma-buf
        return Stream.concat(
                HeapContract.of(service.exporter(), asMemfds).cases().stream()
                        .filter(c -> !c.name().startsWith("1024_"))
                        .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                            Assumptions.assumeTrue(
                                    c.skipReason().isEmpty(),
                                    () -> c.skipReason().get());
                            c.run();
                        })),
                Stream.of(DynamicTest.dynamicTest("and closes its node", heap::withdraw)));
    }

    @Test
    void without_a_protected_heap_it_is_emulated_and_that_is_logged() {
        SecretMemory.assumeThatTheKernelHasIt();
        start(kernel(true, Errno.ENOENT), Map.of()).withdraw();
        assertEquals(
                List.of("info [heap '{}' only emulates protected memory, since {}, secure, /dev/dma_heap/ has no"
                        + " protected heap (protected,secure-video protected,trusted-ui protected,secure-video-record);"
                        + " load its module, use a kernel and a TEE that have one, or name it by nodes in"
                        + " org.dmabuf.heap.secure, and give a container its node (--device=/dev/dma_heap/NAME)]"),
                logged);
    }

    @Test
    void a_protected_heap_without_permission_is_logged_with_the_remedy() {
        SecretMemory.assumeThatTheKernelHasIt();
        start(kernel(true, Errno.EACCES), Map.of("nodes", new String[] {"protected,secure-video"}))
                .withdraw();
        assertEquals(
                List.of("info [heap '{}' only emulates protected memory, since {}, secure,"
                        + " open(/dev/dma_heap/protected,secure-video) failed: permission denied; give this process"
                        + " access by an ACL, as the gateway's udev rule 60-dmaheap.rules does]"),
                logged);
    }

    /**
     * Acts as a seccomp filter, as far as these tests can imitate one. A kernel without memfd_secret passes the test
     * too.
     */
    @Test
    void a_machine_with_neither_gets_one_line_in_the_log_and_no_heap() {
        FaultySyscalls kernel = new FaultySyscalls(kernel(true, Errno.ENOENT));
        kernel.fail("mmap", Errno.EPERM);
        start(kernel, Map.of()).withdraw();
        assertEquals(List.of(), announced.heaps());
        assertEquals(1, logged.size(), logged.toString());
        String line = logged.getFirst();
        assertTrue(
                line.startsWith("warn [heap '{}' is not announced, since {}, secure, /dev/dma_heap/ has no protected"
                        + " heap (protected,secure-video protected,trusted-ui protected,secure-video-record); load"
                        + " its module, use a kernel and a TEE that have one, or name it by nodes in"
                        + " org.dmabuf.heap.secure, and give a container its node (--device=/dev/dma_heap/NAME); and "),
                line);
        assertTrue(line.contains(" refused a buffer of " + Bytes.text(Bytes.PAGE) + ": "), line);
        assertFalse(line.contains("heap 'secure': "), line);
    }

    @Test
    void a_configured_back_end_that_is_missing_is_an_error() {
        FaultySyscalls kernel = new FaultySyscalls(kernel(true, Errno.ENOENT));
        kernel.fail("mmap", Errno.EPERM);
        start(kernel, Map.of("backend", "memfd_secret"));
        String refused = " refused a buffer of " + Bytes.text(Bytes.PAGE) + ": ";
        assertTrue(announced.refusal().contains(refused), announced.refusal());
        assertEquals(List.of(), logged);
    }

    @Test
    void a_heap_that_the_cpu_can_map_is_not_used_as_protected() {
        start(kernel(false, Errno.ENOENT, "system"), Map.of("backend", "dma-heap", "nodes", new String[] {"system"}));
        assertEquals(
                "the CPU can map memory of /dev/dma_heap/system, which therefore protects nothing; name a protected"
                        + " heap by nodes in org.dmabuf.heap.secure",
                announced.refusal());
    }

    @Test
    void only_the_configured_back_end_is_used_or_refused() {
        SecureHeap none = start(kernel(true, Errno.ENOENT), Map.of("backend", "dma-heap"));
        assertTrue(announced.waiting().startsWith("/dev/dma_heap/ has no protected heap ("), announced.waiting());
        none.withdraw();

        SecretMemory.assumeThatTheKernelHasIt();
        start(kernel(true, Errno.ENOENT, "protected,secure-video"), Map.of("backend", "memfd_secret"))
                .withdraw();
        assertEquals(List.of(), logged);
    }

    @Test
    void a_temporary_shortage_does_not_choose_the_back_end() {
        SecureHeap heap = start(kernel(true, Errno.EMFILE), Map.of());
        assertEquals(List.of(), announced.heaps());
        heap.withdraw();
    }

    /**
     * Returns a fake kernel with heaps, whose dma-bufs are memfds of the running kernel.
     *
     * @param keepsTheCpuOut whether it refuses to map them
     * @param otherwise the error of an open of any other node
     * @param nodes the nodes in the folder
     */
    private static Syscalls kernel(boolean keepsTheCpuOut, Errno otherwise, String... nodes) {
        Syscalls linux = Syscalls.linux();
        List<Integer> dmaBufs = new ArrayList<>();
        return (Syscalls) Proxy.newProxyInstance(
                Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, a) -> {
                    switch (method.getName()) {
                        case "open" -> {
                            if (a[0].toString().startsWith(FOLDER)) {
                                String node = a[0].toString().substring(FOLDER.length());
                                return List.of(nodes).contains(node)
                                        ? linux.open("/dev/null", (int) a[1])
                                        : -otherwise.number();
                            }
                        }
                        case "dmaHeapAllocate" -> {
                            int fd = linux.memfdCreate("dma-buf", 0x3); // MFD_CLOEXEC | MFD_ALLOW_SEALING
                            linux.fallocate(fd, 0, 0, Bytes.wholePages((long) a[1]));
                            linux.fcntl(fd, 1033, 0x7); // F_ADD_SEALS: SEAL | SHRINK | GROW
                            synchronized (dmaBufs) {
                                dmaBufs.add(fd);
                            }
                            return fd;
                        }
                        case "close" -> {
                            synchronized (dmaBufs) {
                                dmaBufs.remove(a[0]);
                            }
                        }
                        case "mmap" -> {
                            synchronized (dmaBufs) {
                                if (keepsTheCpuOut && dmaBufs.contains(a[4])) {
                                    return (long) -Errno.EINVAL.number();
                                }
                            }
                        }
                        case "dmaBufSync", "dmaBufSetName" -> {
                            return 0;
                        }
                        default -> {}
                    }
                    try {
                        return method.invoke(linux, a);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
