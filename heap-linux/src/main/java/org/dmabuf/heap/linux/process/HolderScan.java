// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.dmabuf.heap.BufferRecord;

/**
 * Scan of all processes for the holders of memory. It reads {@code /proc} once and takes seconds at most. It opens no
 * file of another process and asks no device. Processes come and go meanwhile, so the result is of no single moment.
 * Immutable.
 */
public final class HolderScan {
    private static final Path PROC = Path.of("/proc");
    private static final Path BUFINFO = Path.of("/sys/kernel/debug/dma_buf/bufinfo");
    /** PROC_PID_INIT_INO, the inode of the machine's first PID namespace. */
    private static final String FIRST_PID_NAMESPACE = "pid:[4026531836]";

    private static final Duration EACH = Duration.ofSeconds(2);
    private static final Duration ALL = Duration.ofSeconds(20);
    /** The key of the list of all dma-bufs, which is no process. */
    private static final int LIST = 0;

    private final Map<FileId, SharedFile> files;
    private final List<String> limits;

    private HolderScan(Map<FileId, SharedFile> files, List<String> limits) {
        this.files = files;
        this.limits = List.copyOf(limits);
    }

    /**
     * Scans all processes. The caller must hold no lock.
     *
     * @param buffers buffers whose holders are wanted
     * @return the scan, with all dma-bufs of the machine and the wanted memory of other kinds
     * @throws IOException when {@code /proc} is not mounted
     * @throws InterruptedException when the thread is interrupted
     * @throws org.dmabuf.heap.HeapException when this process has no free descriptor
     */
    public static HolderScan of(List<BufferRecord> buffers) throws IOException, InterruptedException {
        Set<FileId> wanted = new HashSet<>();
        buffers.forEach(buffer -> id(buffer).ifPresent(wanted::add));
        return of(PROC, BUFINFO, wanted, EACH, ALL);
    }

    static HolderScan of(Path proc, Path bufinfo, Set<FileId> wanted, Duration each, Duration all)
            throws IOException, InterruptedException {
        Sweep<ProcessFiles> processes =
                Sweep.over(pids(proc), each, all, pid -> ProcessFiles.read(proc, pid, wanted::contains));
        Sweep<List<DmaBufFacts>> list = Sweep.over(List.of(LIST), each, all, key -> Optional.of(listed(bufinfo)));
        return new HolderScan(
                new Attribution(
                                wanted,
                                processes.results(),
                                list.results().stream().flatMap(List::stream).toList())
                        .files(),
                limits(proc, each, all, processes));
    }

    /**
     * {@return the holders of a buffer; empty if its descriptor was never exported, or no process shows it}
     *
     * @param buffer a record of the broker's monitor
     */
    public Optional<SharedFile> of(BufferRecord buffer) {
        return id(buffer).map(files::get);
    }

    /** {@return all files of the scan, by inode number} */
    public List<SharedFile> files() {
        return files.values().stream()
                .sorted(Comparator.comparingLong(SharedFile::inode))
                .toList();
    }

    /** {@return sentences about what the scan could not read, with the remedies} */
    public List<String> limits() {
        return limits;
    }

    private static Optional<FileId> id(BufferRecord buffer) {
        return buffer.inode().isPresent() && buffer.fileSystem().isPresent()
                ? Optional.of(new FileId(
                        buffer.fileSystem().getAsLong(), buffer.inode().getAsLong()))
                : Optional.empty();
    }

    private static List<Integer> pids(Path proc) throws IOException {
        List<Integer> pids = new ArrayList<>();
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(proc, "[1-9]*")) {
            for (Path folder : folders) {
                pids.add(Integer.parseInt(folder.getFileName().toString()));
            }
        }
        if (pids.isEmpty()) {
            throw new IOException("reading " + proc + " failed: it shows no process; mount it");
        }
        return pids;
    }

    /** The list also has dma-bufs without a process. Only root can read it, where the kernel has it at all. */
    private static List<DmaBufFacts> listed(Path bufinfo) throws IOException {
        try (Stream<String> lines = Files.lines(bufinfo, StandardCharsets.ISO_8859_1)) {
            return lines.flatMap(line -> DmaBufFacts.ofBufinfo(line).stream()).toList();
        }
    }

    /** {@return sentences about the processes that a sweep could not read} */
    static List<String> limits(Path proc, Duration each, Duration all, Sweep<?> processes) {
        List<String> limits = new ArrayList<>();
        if (processes.denied() > 0) {
            limits.add("reading " + number(processes.denied()) + " failed: permission denied; run the gateway as the"
                    + " same user, or with CAP_SYS_PTRACE");
        }
        if (processes.silent() > 0) {
            limits.add("reading " + number(processes.silent()) + " failed: no answer of the kernel within "
                    + each.toSeconds() + " s; a driver or file system blocks the process, or it has very many files");
        }
        if (processes.unread() > 0) {
            limits.add("reading " + number(processes.unread()) + " failed: the limit of " + all.toSeconds()
                    + " s for all processes was over; repeat it on a less busy machine");
        }
        if (!Files.exists(proc.resolve("1"))) {
            limits.add("processes of other users are hidden; mount /proc without hidepid, or run the service without"
                    + " ProtectProc");
        }
        if (!isFirstPidNamespace(proc)) {
            limits.add("processes outside this PID namespace are hidden; run the gateway outside the container");
        }
        return limits;
    }

    private static boolean isFirstPidNamespace(Path proc) {
        try {
            return Files.readSymbolicLink(proc.resolve("self/ns/pid"))
                    .toString()
                    .equals(FIRST_PID_NAMESPACE);
        } catch (IOException e) {
            return true; // a kernel without namespaces
        }
    }

    private static String number(int processes) {
        return processes == 1 ? "1 process" : processes + " processes";
    }
}
