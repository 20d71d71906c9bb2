// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.dmabuf.heap.BufferRecord;
import org.dmabuf.heap.ClientId;
import org.dmabuf.heap.linux.syscall.Syscalls;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests on the processes of this machine. The guest's tests have dma-bufs. */
class HolderScanTest {
    /** Holds the memfd that the first argument names, in the way of the second. */
    private static final String PYTHON = """
            import array, ctypes, os, socket, sys, threading
            fd = os.open(sys.argv[1], os.O_RDWR)
            how = sys.argv[2]
            libc = ctypes.CDLL(None)
            if how == "mapping":
                libc.mmap.restype = ctypes.c_void_p
                libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
                assert libc.mmap(None, 8192, 1, 1, fd, 0) != ctypes.c_void_p(-1).value
            elif how == "message":
                ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            if how in ("mapping", "message"):
                os.close(fd)
            if how == "thread":
                threading.Thread(target=lambda: (print(fd, flush=True), sys.stdin.readline())).start()
                libc.pthread_exit.argtypes = [ctypes.c_void_p]
                libc.syscall(int(sys.argv[3]), 0)
            print(fd, flush=True)
            sys.stdin.readline()
            """;

    private static final Syscalls LINUX = Syscalls.linux();

    private final int memfd = LINUX.memfdCreate("a name\nwith a line", 0);
    private final BufferRecord buffer = BufferRecord.of("system", ClientId.of("uid", "0"), 8192)
            .inode(OptionalLong.of(LINUX.inode(memfd)))
            .fileSystem(OptionalLong.of(LINUX.device(memfd)))
            .exported(true)
            .build();

    @AfterEach
    void close() {
        LINUX.close(memfd);
    }

    private Process hold(String how) throws IOException {
        LINUX.ftruncate(memfd, 8192);
        String exit = System.getProperty("os.arch").equals("amd64") ? "60" : "93";
        return new ProcessBuilder(
                        "python3",
                        "-S",
                        "-c",
                        PYTHON,
                        "/proc/" + ProcessHandle.current().pid() + "/fd/" + memfd,
                        how,
                        exit)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private Optional<Holder> holder(long pid) throws Exception {
        return HolderScan.of(List.of(buffer)).of(buffer).orElseThrow().holders().stream()
                .filter(holder -> holder.pid() == pid)
                .findFirst();
    }

    private Optional<Holder> held(String how) throws Exception {
        Process process = hold(how);
        try {
            String fd = process.inputReader().readLine();
            Optional<Holder> holder = holder(process.pid());
            if (how.equals("descriptor") || how.equals("thread")) {
                assertEquals(List.of(Integer.parseInt(fd)), holder.orElseThrow().descriptors());
            }
            return holder;
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void a_descriptor_is_found_and_a_killed_holder_disappears() throws Exception {
        Process process = hold("descriptor");
        try {
            process.inputReader().readLine();
            assertEquals("python3", holder(process.pid()).orElseThrow().name());
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertEquals(Optional.empty(), holder(process.pid()));
    }

    @Test
    void the_number_of_a_descriptor_is_that_of_the_holder() throws Exception {
        assertEquals(0, held("descriptor").orElseThrow().mappings());
        assertTrue(holder(ProcessHandle.current().pid())
                .orElseThrow()
                .descriptors()
                .contains(memfd));
    }

    @Test
    void a_mapping_alone_is_found() throws Exception {
        Holder holder = held("mapping").orElseThrow();
        assertEquals(List.of(), holder.descriptors());
        assertEquals(1, holder.mappings());
        assertEquals(8192, holder.mappedBytes());
    }

    @Test
    void memory_that_is_not_wanted_is_left_out() throws Exception {
        assertFalse(HolderScan.of(List.of()).files().stream()
                .anyMatch(file -> file.fileSystem() == LINUX.device(memfd) && file.inode() == LINUX.inode(memfd)));
    }

    @Test
    void a_message_under_way_is_in_no_process() throws Exception {
        assertEquals(Optional.empty(), held("message"));
    }

    @Test
    void a_process_whose_first_thread_has_ended_is_found() throws Exception {
        assertTrue(held("thread").isPresent());
    }

    @Test
    void a_process_that_blocks_its_reader_is_reported_and_the_others_are_read(@TempDir Path proc) throws Exception {
        String stat = " (x) S 1 1 1 0 -1 0 0";
        for (String pid : List.of("9000011", "9000012")) {
            Files.createDirectories(proc.resolve(pid + "/fd"));
            Files.writeString(proc.resolve(pid + "/stat"), pid + stat);
            Files.writeString(proc.resolve(pid + "/maps"), "");
        }
        Path blocking = proc.resolve("9000011/maps");
        Files.delete(blocking);
        assertEquals(
                0, new ProcessBuilder("mkfifo", blocking.toString()).start().waitFor());
        Files.createSymbolicLink(proc.resolve("9000012/fd/3"), Path.of("/memfd:gone"));
        try {
            List<String> limits = HolderScan.of(
                            proc, proc.resolve("bufinfo"), Set.of(), Duration.ofSeconds(4), Duration.ofMinutes(5))
                    .limits();
            assertEquals(
                    List.of(
                            "reading 1 process failed: no answer of the kernel within 4 s; a driver or file system"
                                    + " blocks the process, or it has very many files",
                            "processes of other users are hidden; mount /proc without hidepid, or run the service"
                                    + " without ProtectProc"),
                    limits);
        } finally {
            Files.newOutputStream(blocking).close(); // ends the wait of the reader
        }
    }

    /** Makes a folder like {@code /proc} of the first PID namespace, with one process. */
    private static Path proc(Path folder) throws IOException {
        Files.createDirectories(folder.resolve("1/fd"));
        Files.writeString(folder.resolve("1/stat"), "1 (x) S 1 1 1 0 -1 0 0");
        Files.writeString(folder.resolve("1/maps"), "");
        Files.createDirectories(folder.resolve("self/ns"));
        Files.createSymbolicLink(folder.resolve("self/ns/pid"), Path.of("pid:[4026531836]"));
        return folder;
    }

    @Test
    void a_dma_buf_without_a_process_is_known_from_the_kernels_list(@TempDir Path folder) throws Exception {
        Path proc = proc(folder);
        Path list = Files.writeString(proc.resolve("bufinfo"), """
                size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
                00008192\t02000002\t00080007\t00000002\tsystem\t00000078\tframe
                00004096\t02000002\t00080007\t00000001\tudmabuf\t00000077\t<none>
                """);
        Duration moderate = Duration.ofMinutes(1);
        HolderScan scan = HolderScan.of(proc, list, Set.of(), moderate, moderate);
        assertEquals(List.of(), scan.limits());
        assertEquals(
                List.of(77L, 78L), scan.files().stream().map(SharedFile::inode).toList());
        assertEquals(2, scan.files().getLast().unattributed());
        assertEquals(
                List.of(),
                HolderScan.of(proc, proc.resolve("absent"), Set.of(), moderate, moderate)
                        .files());
    }

    @Test
    void what_the_scan_could_not_read_is_in_its_limits(@TempDir Path folder) throws Exception {
        Duration none = Duration.ZERO;
        Duration moderate = Duration.ofMinutes(1);
        Path proc = proc(folder);
        Sweep<Integer> denied = Sweep.over(List.of(9000031, 9000032), moderate, moderate, pid -> {
            throw new AccessDeniedException("/proc/" + pid);
        });
        assertEquals(
                List.of("reading 2 processes failed: permission denied; run the gateway as the same user, or with"
                        + " CAP_SYS_PTRACE"),
                HolderScan.limits(proc, moderate, moderate, denied));
        CountDownLatch end = new CountDownLatch(1);
        try {
            Sweep<Integer> late = Sweep.over(List.of(9000033, 9000034), moderate, none, pid -> {
                try {
                    end.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return Optional.of(pid);
            });
            assertTrue(
                    HolderScan.limits(proc, moderate, none, late)
                            .getLast()
                            .endsWith(" failed: the limit of 0 s for all processes was over; repeat it on a less busy"
                                    + " machine"),
                    () -> late.silent() + " " + late.unread());
        } finally {
            end.countDown();
        }
        Files.delete(proc.resolve("self/ns/pid"));
        Files.createSymbolicLink(proc.resolve("self/ns/pid"), Path.of("pid:[4026532000]"));
        Sweep<Integer> well = Sweep.over(List.of(9000035), moderate, moderate, Optional::of);
        assertEquals(
                List.of("processes outside this PID namespace are hidden; run the gateway outside the container"),
                HolderScan.limits(proc, moderate, moderate, well));
    }

    @Test
    void a_folder_without_processes_is_not_proc(@TempDir Path folder) {
        IOException e = assertThrows(
                IOException.class,
                () -> HolderScan.of(folder, folder, Set.of(), Duration.ofSeconds(1), Duration.ofSeconds(1)));
        assertEquals("reading " + folder + " failed: it shows no process; mount it", e.getMessage());
    }
}
