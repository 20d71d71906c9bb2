// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.secret;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.fd.Descriptors;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.headroom.Headroom;
import org.dmabuf.heap.linux.headroom.MadeUpHeadroom;
import org.dmabuf.heap.linux.kernel.Mmap;
import org.dmabuf.heap.linux.machine.MlockLimit;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of secret memory of the running kernel, with failures that a test sets, and of the operations of a holder. */
class SecretSourceTest {
    private static final long SIZE = 16 * Bytes.PAGE;
    private static final long ROOM = 64 * Bytes.PAGE;
    private static final Headroom PLENTY = MadeUpHeadroom.of(() -> 1L << 40, () -> 0);

    private static final int O_RDONLY = 0x0;
    private static final int O_RDWR = 0x2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SHRINK = 0x2;
    private static final int FALLOC_FL_PUNCH_HOLE = 0x2;
    private static final int FALLOC_FL_KEEP_SIZE = 0x1;
    private static final int MADV_REMOVE = 9;
    private static final int MADV_DONTNEED = 4;
    private static final int MAP_PRIVATE = 0x2;

    /** Results that replace the kernel's, by the call's name: the first is for the next call; null asks the kernel. */
    private final Map<String, Deque<Object>> answers = new HashMap<>();

    private final List<String> calls = new ArrayList<>();
    private final Syscalls syscalls = faulty(Syscalls.class, Syscalls.linux());
    private final SecretCalls secrets = faulty(SecretCalls.class, SecretCalls.linux());
    private final MlockLimit locked = new MlockLimit(ROOM);
    private SecretSource source;
    private List<String> before;

    @BeforeEach
    void open_a_source_if_the_kernel_has_secret_memory() throws IOException {
        int fd = SecretCalls.linux().memfdSecret(0);
        assumeTrue(fd >= 0, () -> "skipped: this kernel gives no secret memory: error " + -fd);
        Syscalls.linux().close(fd);
        source = SecretSource.open("secure", syscalls, secrets, PLENTY, locked, true);
        calls.clear();
        before = held();
    }

    @AfterEach
    void nothing_is_left_behind() throws IOException {
        if (source != null) {
            assertEquals(before, held());
            assertEquals(ROOM, locked.left());
        }
    }

    @Test
    void a_buffer_is_zero_and_each_mapping_shows_the_same_memory() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE - 1));
        assertEquals(SIZE, buffer.size());
        MemorySegment one = buffer.map(Access.READ_WRITE);
        MemorySegment other = buffer.map(Access.READ);
        assertEquals(-1, one.mismatch(MemorySegment.ofArray(new byte[(int) SIZE])));
        one.fill((byte) 0x5a);
        assertEquals(0x5a, other.get(ValueLayout.JAVA_BYTE, SIZE - 1));
        buffer.unmap(one);
        buffer.unmap(other);
        buffer.release();
    }

    @Test
    void every_page_is_allocated_before_the_buffer_is_returned_and_no_mapping_stays() throws IOException {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        assertEquals(List.of("memfdSecret", "ftruncate", "open", "mmap", "read " + SIZE, "munmap", "close"), calls);
        assertEquals(
                List.of(),
                held().stream().filter(line -> line.startsWith("mapping")).toList());
        buffer.release();
    }

    @Test
    void a_heap_that_may_not_map_refuses_and_a_peer_can_map() {
        SecretSource unseen = SecretSource.open("secure", syscalls, secrets, PLENTY, locked, false);
        assertEquals(false, unseen.properties().get("heap.mappable"));
        HeapBuffer buffer = unseen.allocate(HeapRequest.of(SIZE));
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertEquals(
                "heap 'secure': a buffer of " + Bytes.text(SIZE) + " cannot be mapped by the process that made it"
                        + " (heap.mappable=false); send its descriptor to the process that may read it, or configure"
                        + " heap.mappable=true",
                refusal.getMessage());
        try (OwnedFd sent = new Descriptors(Syscalls.linux()).duplicate("", buffer.descriptor());
                Arena peer = Arena.ofConfined()) {
            new Mappings(Syscalls.linux())
                    .map(sent, SIZE, Access.READ_WRITE, peer)
                    .fill((byte) 1);
        }
        buffer.release();
    }

    @Test
    void it_announces_its_properties() {
        assertEquals(
                Map.of(
                        "heap.backend",
                        "memfd_secret",
                        "heap.dmabuf",
                        false,
                        "heap.protected",
                        false,
                        "heap.emulates",
                        List.of("protected"),
                        "heap.mappable",
                        true,
                        "heap.contiguous.max",
                        Bytes.PAGE,
                        "heap.alignment",
                        Bytes.PAGE,
                        "heap.export.readonly",
                        false),
                source.properties());
    }

    // Operations of a holder: it can only write.

    @Test
    void the_size_cannot_be_changed_once_it_is_set() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        for (long size : new long[] {0, Bytes.PAGE, SIZE, 2 * SIZE}) {
            assertEquals(-Errno.EINVAL.number(), Syscalls.linux().ftruncate(buffer.descriptor(), size));
        }
        assertEquals(SIZE, syscalls.size(buffer.descriptor()));
        buffer.release();
    }

    @Test
    void holes_cannot_be_punched_and_seals_cannot_be_set() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) 0x5a);
        int fd = buffer.descriptor();
        assertTrue(syscalls.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, Bytes.PAGE) < 0);
        assertTrue(syscalls.madvise(mapping.address(), Bytes.PAGE, MADV_REMOVE) < 0);
        // Refused, or it only unmaps the page: Debian 13 for arm64 accepts it. The file keeps the page in both cases.
        int _ = syscalls.madvise(mapping.address(), Bytes.PAGE, MADV_DONTNEED);
        assertTrue(syscalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0);
        assertEquals(0x5a, mapping.get(ValueLayout.JAVA_BYTE, 0));
        buffer.unmap(mapping);
        buffer.release();
    }

    @Test
    void a_descriptor_cannot_be_reopened_so_there_is_no_read_only_export() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        String path = "/proc/self/fd/" + buffer.descriptor();
        assertEquals(-Errno.ENXIO.number(), syscalls.open(path, O_RDONLY));
        assertEquals(-Errno.ENXIO.number(), syscalls.open(path, O_RDWR));
        assertEquals(-Errno.EINVAL.number(), (int)
                syscalls.mmap(0, SIZE, Mmap.PROT_READ, MAP_PRIVATE, buffer.descriptor(), 0));
        buffer.release();
        HeapException refusal = assertThrows(
                HeapException.class, () -> source.allocate(HeapRequest.of(SIZE).withExport(ExportMode.READ_ONLY)));
        assertEquals(Errno.EINVAL, refusal.errno());
        assertTrue(refusal.getMessage().contains("can write to it; use READ_WRITE"), refusal.getMessage());
    }

    @Test
    void the_kernel_itself_does_not_read_it() throws IOException {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        MemorySegment mapping = buffer.map(Access.READ_WRITE);
        mapping.fill((byte) 0x5a);
        try (RandomAccessFile memory = new RandomAccessFile("/proc/self/mem", "r")) {
            memory.seek(mapping.address());
            assertThrows(IOException.class, memory::read);
        }
        assertThrows(IOException.class, () -> {
            try (FileChannel file =
                    FileChannel.open(Path.of("/proc/self/fd/" + buffer.descriptor()), StandardOpenOption.READ)) {
                file.read(ByteBuffer.allocate(1), 0);
            }
        });
        buffer.unmap(mapping);
        buffer.release();
    }

    // Limits and faults

    @Test
    void more_than_the_process_may_lock_is_enomem_before_the_kernel_is_asked() {
        HeapBuffer most = source.allocate(HeapRequest.of(ROOM - Bytes.PAGE));
        calls.clear();
        for (long size : new long[] {2 * Bytes.PAGE, ROOM, 1L << 39}) {
            HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(size)));
            assertEquals(Errno.ENOMEM, refusal.errno());
            assertEquals(
                    "heap 'secure': " + Bytes.text(size) + " does not fit into the memory that this process may"
                            + " lock (RLIMIT_MEMLOCK): " + Bytes.text(Bytes.PAGE) + " left of " + Bytes.text(ROOM)
                            + "; raise LimitMEMLOCK= in the unit or ulimit -l, grant CAP_IPC_LOCK, or close buffers",
                    refusal.getMessage());
        }
        assertEquals(List.of(), calls);
        assertEquals(ROOM, source.usage().capacity().orElseThrow());
        assertEquals(Bytes.PAGE, source.usage().free().orElseThrow());
        assertTrue(source.usage().largestFree().orElse(0) <= Bytes.PAGE); // known with RLIMIT_FSIZE only
        most.release();
        source.allocate(HeapRequest.of(ROOM)).release();
    }

    @ParameterizedTest(name = "{0} fails with {1}")
    @CsvSource({
        "memfdSecret, EMFILE, EMFILE, LimitNOFILE=",
        "memfdSecret, ENFILE, ENFILE, fs.file-max",
        "memfdSecret, ENOMEM, ENOMEM, close buffers",
        "memfdSecret, ENOSYS, ENOSYS, needs secretmem.enable=1",
        "memfdSecret, ENOSYS, ENOSYS, permit memfd_secret in",
        "memfdSecret, EPERM, EPERM, permit memfd_secret in",
        "ftruncate, EINVAL, EINVAL, ftruncate refused a buffer of SIZE",
        "open, ENOENT, ENOENT, open of /dev/zero refused a buffer of SIZE",
        "open, EMFILE, EMFILE, LimitNOFILE=",
        "mmap, EAGAIN, ENOMEM, LimitMEMLOCK=", // RLIMIT_MEMLOCK, below the bytes that others have mapped
        "mmap, ENOMEM, EAGAIN, vm.max_map_count", // the process's limit, so another heap is no remedy
        "read, EFAULT, ENOMEM, the machine has memory for only 0 bytes of",
        "read, ENOMEM, ENOMEM, the machine has memory for only 0 bytes of",
        "read, EBADF, EBADF, read of /dev/zero refused a buffer of SIZE"
    })
    void a_refused_call_is_reported_with_its_remedy_and_leaves_nothing(
            String call, Errno kernels, Errno expected, String sentence) throws IOException {
        fail(call, kernels);
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(SIZE)));
        assertEquals(expected, refusal.errno());
        assertTrue(refusal.getMessage().startsWith("heap 'secure': "), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(Bytes.text(SIZE)), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(sentence.replace("SIZE", Bytes.text(SIZE))), refusal.getMessage());
        assertEquals(before, held());
        source.allocate(HeapRequest.of(SIZE)).release();
    }

    @Test
    void a_short_read_continues_and_an_empty_read_is_enomem() {
        answers.put("read", new ArrayDeque<>(List.of(Bytes.PAGE, (long) -Errno.EINTR.number(), 2 * Bytes.PAGE, 0L)));
        HeapException refusal = assertThrows(HeapException.class, () -> source.allocate(HeapRequest.of(SIZE)));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertEquals(
                "heap 'secure': the machine has memory for only " + Bytes.text(3 * Bytes.PAGE) + " of a buffer of "
                        + Bytes.text(SIZE) + "; ask for less, close buffers, or raise LimitMEMLOCK= in the unit or"
                        + " ulimit -l, which some kernels apply even"
                        + " with CAP_IPC_LOCK",
                refusal.getMessage());
        assertEquals(
                Stream.of(16, 15, 15, 13)
                        .map(pages -> "read " + pages * Bytes.PAGE)
                        .toList(),
                calls.stream().filter(call -> call.startsWith("read")).toList());
    }

    @Test
    void a_mapping_beyond_the_limit_is_enomem_and_not_try_again() {
        HeapBuffer buffer = source.allocate(HeapRequest.of(SIZE));
        fail("mmap", Errno.EAGAIN);
        HeapException refusal = assertThrows(HeapException.class, () -> buffer.map(Access.READ));
        assertEquals(Errno.ENOMEM, refusal.errno());
        assertTrue(refusal.getMessage().contains("LimitMEMLOCK="), refusal.getMessage());
        buffer.release();
    }

    @Test
    void ten_thousand_random_operations_with_faults_return_every_byte() throws IOException {
        Random random = new Random(7); // a fixed seed
        String[] faults = {"memfdSecret", "ftruncate", "open", "mmap", "read"};
        Errno[] errnos = {Errno.ENOMEM, Errno.EAGAIN, Errno.EMFILE, Errno.EINTR, Errno.EFAULT};
        List<HeapBuffer> live = new ArrayList<>();
        Map<MemorySegment, HeapBuffer> mappings = new HashMap<>();
        int refused = 0;
        for (int i = 0; i < 10_000; i++) {
            answers.clear();
            if (random.nextInt(4) == 0) {
                fail(faults[random.nextInt(faults.length)], errnos[random.nextInt(errnos.length)]);
            }
            try {
                if (live.isEmpty() || random.nextInt(3) == 0) {
                    live.add(source.allocate(HeapRequest.of(1 + random.nextLong(8 * Bytes.PAGE))));
                } else if (random.nextBoolean()) {
                    HeapBuffer buffer = live.get(random.nextInt(live.size()));
                    mappings.put(buffer.map(Access.READ_WRITE), buffer);
                } else {
                    HeapBuffer buffer = live.remove(random.nextInt(live.size()));
                    mappings.entrySet().removeIf(entry -> {
                        if (entry.getValue() == buffer) {
                            buffer.unmap(entry.getKey());
                            return true;
                        }
                        return false;
                    });
                    buffer.release();
                }
            } catch (HeapException e) {
                refused++;
            }
        }
        mappings.forEach((mapping, buffer) -> buffer.unmap(mapping));
        live.forEach(HeapBuffer::release);
        assertTrue(refused > 500, refused + " refusals");
        assertEquals(before, held());
        assertEquals(ROOM, locked.left());
    }

    @Test
    void a_source_is_not_opened_if_not_even_one_page_is_available() {
        fail("memfdSecret", Errno.ENOSYS);
        HeapException refusal = assertThrows(
                HeapException.class, () -> SecretSource.open("secure", syscalls, secrets, PLENTY, locked, true));
        assertEquals(Errno.ENOSYS, refusal.errno());
        assertTrue(refusal.getMessage().contains("secretmem.enable=1"), refusal.getMessage());
    }

    private void fail(String call, Errno errno) {
        boolean wide = call.equals("mmap") || call.equals("read");
        answers.put(call, new ArrayDeque<>(List.of(wide ? (Object) (long) -errno.number() : -errno.number())));
    }

    private <T> T faulty(Class<T> type, T kernel) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    String name = method.getName();
                    calls.add(name.equals("read") ? name + " " + arguments[2] : name);
                    Deque<Object> planned = answers.get(name);
                    return planned == null || planned.isEmpty() ? method.invoke(kernel, arguments) : planned.remove();
                }));
    }

    /** Descriptors and mappings of secret memory, and open descriptors of /dev/zero. */
    private static List<String> held() throws IOException {
        List<String> held = new ArrayList<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            for (Path fd : all.toList()) {
                try {
                    String target = Files.readSymbolicLink(fd).toString();
                    if (target.startsWith("/secretmem") || target.equals("/dev/zero")) {
                        held.add(fd + " of " + target);
                    }
                } catch (IOException e) {
                    // the descriptor of the listing itself
                }
            }
        }
        Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains("/secretmem"))
                .forEach(line -> held.add("mapping " + line));
        return held;
    }
}
