// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.cma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.source.DmaHeapSource;
import org.dmabuf.heap.linux.source.MemorySource;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapExporter;
import org.dmabuf.heap.spi.HeapRequest;
import org.dmabuf.heap.spi.RegionMap;
import org.dmabuf.heap.tck.ContractCase;
import org.dmabuf.heap.tck.HeapContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;

/**
 * Tests of the contiguous heap on a kernel that has one, and of its emulation where both must behave alike. Debian's
 * kernel has no such heap, so the tests are skipped there. They run on a kernel of {@code kernel/linux-cma}.
 */
class CmaIT {
    private static final long MIB = 1 << 20;
    private static final int PAGE = (int) Bytes.PAGE;
    /** CONFIG_CMA_ALIGNMENT of the kernel that kernel/linux-cma builds: the default of 2^8 pages. */
    private static final int MOST_ALIGNED = 256;

    private static final int F_DUPFD_CLOEXEC = 1030;

    private static String node;
    private static Area area;

    private final Syscalls syscalls = Syscalls.linux();
    private final List<Form> forms = new ArrayList<>();
    private final List<HeapBuffer> held = new ArrayList<>();
    private BitSet before;

    /** The memory that the kernel has reserved, as debugfs shows it. */
    private record Area(Path folder) {
        long number(String file) {
            try {
                return Long.parseLong(Files.readString(folder.resolve(file)).strip());
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        long bytes() {
            return number("count") * PAGE;
        }

        /**
         * {@return the allocated pages, counted from the first page of the area; on this machine each page has one bit}
         */
        BitSet used() {
            try {
                String[] words =
                        Files.readString(folder.resolve("bitmap")).strip().split("\\s+");
                BitSet used = new BitSet();
                for (int word = 0; word < words.length; word++) {
                    int bits = Integer.parseUnsignedInt(words[word]);
                    for (int bit = 0; bit < Integer.SIZE; bit++) {
                        used.set(word * Integer.SIZE + bit, (bits >> bit & 1) != 0);
                    }
                }
                return used;
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** The two back ends of the heap. */
    private enum Maker {
        KERNEL("auto"),
        REGION("region");

        final String word;

        Maker(String word) {
            this.word = word;
        }
    }

    /** The heap with its service properties, as a broker sees it. */
    private record Form(CmaHeap component, HeapExporter exporter, Map<String, Object> announced) {
        /** {@return the pages of all buffers, counted from the start of the area or region} */
        BitSet used() {
            if (!(exporter instanceof RegionMap map)) {
                return area.used();
            }
            BitSet used = new BitSet();
            map.forEachStretch(stretch -> used.set(
                    (int) (stretch.offset() / PAGE),
                    (int) ((stretch.offset() + stretch.size()) / PAGE),
                    stretch.state() != RegionMap.State.FREE));
            return used;
        }
    }

    @BeforeAll
    static void the_kernel_has_a_contiguous_heap() throws ReflectiveOperationException {
        String[] names = (String[]) CmaHeap.Config.class.getMethod("nodes").getDefaultValue();
        Optional<String> there = Stream.of(names)
                .filter(name -> Files.exists(Path.of(DmaHeapSource.FOLDER + name)))
                .findFirst();
        if (there.isEmpty()) {
            String why = "skipped: this kernel has no contiguous heap (" + String.join(" ", names)
                    + "); kernel/linux-cma builds one that has, for kernel/run -k";
            System.out.println(why);
            abort(why);
        }
        node = there.get();
        area = new Area(Path.of("/sys/kernel/debug/cma", node));
        assertEquals(0, area.number("order_per_bit"));
    }

    @BeforeEach
    void look() {
        before = area.used();
    }

    @AfterEach
    void nothing_is_left() {
        held.forEach(HeapBuffer::release);
        forms.forEach(form -> form.component().withdraw());
        assertEquals(before, area.used());
    }

    private Form start(Maker maker) {
        Map<String, Object> set = Map.of("backend", maker.word, "size", Long.toString(area.bytes()));
        CmaHeap.Config config = (CmaHeap.Config) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {CmaHeap.Config.class},
                (_, method, _) -> set.getOrDefault(method.getName(), method.getDefaultValue()));
        List<Object> registered = new ArrayList<>();
        BundleContext context = proxy(BundleContext.class, arguments -> {
            registered.addAll(List.of(arguments));
            return proxy(ServiceRegistration.class, _ -> null);
        });
        CmaHeap heap = new CmaHeap(context, config, Map.of());
        @SuppressWarnings("unchecked") // the properties with which services are registered
        Dictionary<String, Object> announced = (Dictionary<String, Object>) registered.get(2);
        Form form = new Form(heap, (HeapExporter) registered.get(1), Map.copyOf(FrameworkUtil.asMap(announced)));
        forms.add(form);
        return form;
    }

    private interface Call {
        Object with(Object[] arguments);
    }

    private static <T> T proxy(Class<T> type, Call call) {
        return type.cast(Proxy.newProxyInstance(
                CmaIT.class.getClassLoader(), new Class<?>[] {type}, (_, _, arguments) -> call.with(arguments)));
    }

    private HeapBuffer hold(Form form, long size) {
        HeapBuffer buffer = form.exporter().allocate(HeapRequest.of(size));
        held.add(buffer);
        return buffer;
    }

    /** {@return the refusal of one more buffer of that size} */
    private HeapException fill(Form form, long size) {
        return assertThrows(HeapException.class, () -> {
            while (held.size() * size <= area.bytes()) {
                hold(form, size);
            }
        });
    }

    @Test
    void the_kernels_own_heap_is_used_and_announced_correctly() throws IOException {
        Form form = start(Maker.KERNEL);
        Map<String, Object> announced = form.announced();
        assertEquals("dma-heap", announced.get(HeapProperties.BACKEND));
        assertEquals(true, announced.get(HeapProperties.CONTIGUOUS));
        assertEquals(Long.MAX_VALUE, announced.get(HeapProperties.CONTIGUOUS_MAX));
        assertEquals(true, announced.get(HeapProperties.DMABUF));
        assertEquals(true, announced.get(HeapProperties.MAPPABLE));
        assertFalse(announced.containsKey(HeapProperties.EMULATES));
        int fd = hold(form, MIB).descriptor();
        List<String> info = Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd));
        assertTrue(info.contains("exp_name:\t" + node), info.toString());
    }

    @Test
    void a_full_heap_is_announced_and_serves_when_memory_is_returned() {
        Form holder = start(Maker.KERNEL);
        fill(holder, MIB);
        fill(holder, PAGE);
        Form late = start(Maker.KERNEL);
        assertEquals(holder.announced(), late.announced());
        HeapException refusal =
                assertThrows(HeapException.class, () -> late.exporter().allocate(HeapRequest.of(PAGE)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        held.removeFirst().release();
        hold(late, MIB);
    }

    @TestFactory
    Stream<DynamicTest> the_kernels_contiguous_heap_keeps_the_contract() {
        return contract(start(Maker.KERNEL)).cases().stream()
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> {
                    Assumptions.assumeTrue(
                            c.skipReason().isEmpty(), () -> c.skipReason().get());
                    c.run();
                }));
    }

    @Test
    void only_contract_cases_that_no_dma_buf_can_meet_are_skipped() throws IOException {
        Properties listed = new Properties();
        try (Reader text = new InputStreamReader(
                CmaIT.class.getResourceAsStream("/dma-heap.properties"), StandardCharsets.UTF_8)) {
            listed.load(text);
        }
        Set<String> left = contract(start(Maker.KERNEL)).cases().stream()
                .filter(c -> c.skipReason().isPresent())
                .map(ContractCase::name)
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> expected = new TreeSet<>(listed.stringPropertyNames());
        expected.add("memory_that_cannot_be_mapped_says_so"); // its memory can be mapped
        expected.add("memory_has_the_announced_physical_runs"); // the kernel hides the addresses of a mapped dma-buf
        expected.add("memory_begins_at_a_physical_address_of_the_requested_alignment"); // it announces a page
        expected.add("a_full_heap_refuses_as_a_shortage_and_holds_as_much_again_after_a_release"); // no capacity
        expected.add("a_size_above_the_announced_largest_is_refused"); // it announces no largest size
        expected.add("a_buffer_has_a_multiple_of_the_announced_granule"); // it announces no granule
        assertEquals(expected, left);
    }

    private static HeapContract contract(Form form) {
        return HeapContract.of(form.exporter(), form.announced());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 16, 100, 256, 257, 1000})
    void a_buffer_is_one_run_of_pages_aligned_to_its_order_and_to_no_more_than_the_cap(int pages) {
        assertEquals(0, area.number("base_pfn") % MOST_ALIGNED); // so bits of the area correspond to physical addresses
        for (Maker maker : Maker.values()) {
            Form form = start(maker);
            hold(form, PAGE); // otherwise the next buffer would be aligned by being the first
            BitSet others = form.used();
            hold(form, (long) pages * PAGE);
            BitSet own = form.used();
            own.andNot(others);
            int first = own.nextSetBit(0);
            assertEquals(pages, own.cardinality(), maker.word);
            assertEquals(first + pages, own.nextClearBit(first), maker.word);
            int order = Integer.highestOneBit(2 * pages - 1);
            assertEquals(0, first % Math.min(order, MOST_ALIGNED), maker.word);
        }
    }

    @ParameterizedTest
    @EnumSource
    void memory_that_is_used_again_is_zero(Maker maker) {
        Form form = start(maker);
        HeapBuffer secret = form.exporter().allocate(HeapRequest.of(8 * MIB));
        BitSet was = form.used();
        MemorySegment written = secret.map(Access.READ_WRITE);
        written.fill((byte) 0xff);
        secret.unmap(written);
        secret.release();

        HeapBuffer next = hold(form, 8 * MIB);
        assertTrue(was.intersects(form.used()), "there is nothing to compare: the memory did not come back");
        MemorySegment shown = next.map(Access.READ);
        for (long at = 0; at < shown.byteSize(); at += Long.BYTES) {
            assertEquals(0, shown.get(ValueLayout.JAVA_LONG, at));
        }
        next.unmap(shown);
    }

    @ParameterizedTest
    @EnumSource
    void a_full_heap_refuses_and_serves_again_when_a_buffer_is_gone(Maker maker) {
        Form form = start(maker);
        HeapException refusal = fill(form, 8 * MIB);
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                switch (maker) {
                    case KERNEL ->
                        "heap 'cma': 8 MiB is not free in one piece in the memory reserved for"
                                + " /dev/dma_heap/" + node + "; ask for less, close buffers, or reserve more at boot"
                                + " (cma=, or the region in the device tree)";
                    case REGION ->
                        "heap 'cma': 8 MiB in one piece, aligned to 1 MiB, does not fit: 0 bytes free,"
                                + " largest run 0 bytes; raise size in org.dmabuf.heap.cma or close a buffer";
                },
                refusal.getMessage());
        // The kernel's area may contain pages of others that cannot be moved away at once.
        assertTrue(held.size() * 8 * MIB > area.bytes() * 3 / 4, held.size() + " buffers");

        held.removeLast().release();
        hold(form, 8 * MIB);
    }

    @ParameterizedTest
    @EnumSource
    void fragmented_free_memory_is_not_handed_out_as_one_buffer(Maker maker) {
        Form form = start(maker);
        fill(form, MIB);
        int all = held.size();
        for (int i = all - 1; i >= 0; i -= 2) {
            held.remove(i).release();
        }
        HeapException refusal = assertThrows(HeapException.class, () -> hold(form, 2 * MIB));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().startsWith("heap 'cma': 2 MiB "), refusal.getMessage());
        hold(form, MIB);
    }

    @Test
    void more_than_the_area_is_refused_by_the_kernel_and_more_than_the_machine_before_the_kernel_is_asked() {
        Form form = start(Maker.KERNEL);
        HeapException area = assertThrows(HeapException.class, () -> hold(form, CmaIT.area.bytes() + PAGE));
        assertEquals(Errno.ENOMEM, area.errno());
        assertTrue(area.getMessage().contains(" not free in one piece "), area.getMessage());
        HeapException machine = assertThrows(HeapException.class, () -> hold(form, 1L << 40));
        assertEquals(Errno.ENOMEM, machine.errno());
        assertTrue(machine.getMessage().contains(" exceeds this machine's memory"), machine.getMessage());
    }

    @Test
    void a_peer_keeps_the_memory_and_the_place_of_a_buffer_that_is_released() {
        Form form = start(Maker.KERNEL);
        HeapBuffer buffer = form.exporter().allocate(HeapRequest.of(MIB));
        BitSet used = form.used();
        int peer = syscalls.fcntl(buffer.descriptor(), F_DUPFD_CLOEXEC, 0);
        buffer.release();
        assertEquals(used, form.used());
        syscalls.close(peer);
        assertEquals(before, form.used());
    }

    /** The kernel counts reserved memory as available, and kills this process when no other memory is left. */
    @Test
    void reserved_memory_is_not_promised_to_the_system_heap() {
        try (MemorySource system = DmaHeapSource.open("system", "system", syscalls, Headroom.machine())) {
            HeapException refusal = assertThrows(HeapException.class, () -> {
                while (true) {
                    held.add(system.allocate(HeapRequest.of(16 * MIB)));
                }
            });
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertTrue(refusal.getMessage().contains(" less its CmaFree "), refusal.getMessage());
            assertEquals(before, area.used());
        }
    }
}
