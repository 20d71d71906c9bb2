// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.process;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dmabuf.heap.linux.libc.DeviceNumber;

/**
 * Shareable memory that one process has open or mapped: dma-bufs, memfds and secret memory. No file is opened and no
 * file system asked; the kernel shows names, identities and figures by itself.
 *
 * @param pid process id
 * @param name the process's own name, which can contain any character
 * @param open descriptors
 * @param mapped mappings
 */
record ProcessFiles(int pid, String name, List<Open> open, List<Mapped> mapped) {
    /**
     * An open descriptor.
     *
     * @param descriptor its number
     * @param facts the kernel's figures; empty for a file that is no dma-buf
     */
    record Open(FileId file, int descriptor, Optional<DmaBufFacts> facts) {}

    /**
     * A mapping.
     *
     * @param claimsDmaBuf whether the file has the name of a dma-buf, which other files can have, too
     * @param bytes its size
     */
    record Mapped(FileId file, boolean claimsDmaBuf, long bytes) {}

    private static final String DMA_BUF = "/dmabuf:";
    private static final List<String> SHAREABLE = List.of(DMA_BUF, "/memfd:", "/secretmem");

    private static final int SHORT_BYTES = 4096;
    private static final int PF_KTHREAD = 0x00200000;
    /** Fields of {@code stat} after the name, from 0. */
    private static final int STATE = 0;

    private static final int FLAGS = 6;

    private static final Pattern MAPPING = Pattern.compile(
            "([0-9a-f]+)-([0-9a-f]+) [^ ]+ [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+) +(/.*)", Pattern.DOTALL);

    /**
     * Reads a process.
     *
     * @param proc the folder of all processes
     * @param wanted files to report besides dma-bufs
     * @return its files; empty for a thread of the kernel and for a process that has ended
     * @throws IOException when the process ends meanwhile, the permission is missing, or the thread is interrupted
     */
    static Optional<ProcessFiles> read(Path proc, int pid, Predicate<FileId> wanted) throws IOException {
        Path folder = proc.resolve(Integer.toString(pid));
        String stat = text(folder.resolve("stat"));
        int end = stat.lastIndexOf(')');
        String name = stat.substring(stat.indexOf('(') + 1, end);
        String[] fields = stat.substring(end + 2).split(" ");
        if ((Long.parseLong(fields[FLAGS]) & PF_KTHREAD) != 0) {
            return Optional.empty();
        }
        Optional<Path> thread = isDead(fields) ? livingThread(folder) : Optional.of(folder);
        if (thread.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new ProcessFiles(
                pid,
                new String(name.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8),
                open(thread.get(), wanted),
                mapped(thread.get(), wanted)));
    }

    private static boolean isDead(String[] fields) {
        return fields[STATE].equals("Z") || fields[STATE].equals("X");
    }

    /** A process whose first thread has ended shows its files only below its other threads. */
    private static Optional<Path> livingThread(Path folder) throws IOException {
        for (Path thread : entries(folder.resolve("task"))) {
            try {
                String stat = text(thread.resolve("stat"));
                if (!isDead(stat.substring(stat.lastIndexOf(')') + 2).split(" "))) {
                    return Optional.of(thread);
                }
            } catch (NoSuchFileException e) {
                // the thread has ended meanwhile
            }
        }
        return Optional.empty();
    }

    private static List<Open> open(Path folder, Predicate<FileId> wanted) throws IOException {
        List<Open> open = new ArrayList<>();
        for (Path entry : entries(folder.resolve("fd"))) {
            requireTime();
            try {
                String link = Files.readSymbolicLink(entry).toString();
                Optional<FileId> file = isShareable(link) ? FileId.of(entry.toString()) : Optional.empty();
                if (file.isPresent()) {
                    String number = entry.getFileName().toString();
                    Optional<DmaBufFacts> facts = link.startsWith(DMA_BUF)
                            ? DmaBufFacts.ofFdinfo(text(folder.resolve("fdinfo").resolve(number)))
                                    // the process may have opened another file under the number meanwhile
                                    .filter(shown -> shown.inode() == file.get().inode())
                            : Optional.empty();
                    if (facts.isPresent() || wanted.test(file.get())) {
                        open.add(new Open(file.get(), Integer.parseInt(number), facts));
                    }
                }
            } catch (NoSuchFileException e) {
                // the descriptor was closed meanwhile
            }
        }
        return List.copyOf(open);
    }

    private static List<Mapped> mapped(Path folder, Predicate<FileId> wanted) throws IOException {
        List<Mapped> mapped = new ArrayList<>();
        try (Reader text = new BufferedReader(
                new InputStreamReader(Files.newInputStream(folder.resolve("maps")), StandardCharsets.ISO_8859_1))) {
            StringBuilder line = new StringBuilder();
            for (int character = text.read(); character >= 0; character = text.read()) {
                if (character != '\n') { // the only line end; a holder can put a carriage return into a name
                    line.append((char) character);
                } else {
                    mapping(line)
                            .filter(mapping -> mapping.claimsDmaBuf() || wanted.test(mapping.file()))
                            .ifPresent(mapped::add);
                    line.setLength(0);
                }
            }
        }
        return List.copyOf(mapped);
    }

    private static Optional<Mapped> mapping(CharSequence line) {
        Matcher found = MAPPING.matcher(line);
        if (!found.matches() || !isShareable(found.group(6))) {
            return Optional.empty();
        }
        FileId file = new FileId(
                DeviceNumber.of(hexadecimal(found.group(3)), hexadecimal(found.group(4))),
                Long.parseLong(found.group(5)));
        long bytes = hexadecimal(found.group(2)) - hexadecimal(found.group(1));
        return Optional.of(new Mapped(file, found.group(6).startsWith(DMA_BUF), bytes));
    }

    private static long hexadecimal(String digits) {
        return Long.parseUnsignedLong(digits, 16);
    }

    private static boolean isShareable(String name) {
        return SHAREABLE.stream().anyMatch(name::startsWith);
    }

    /** Reads the start of a short file. Each byte becomes one character. */
    private static String text(Path file) throws IOException {
        try (InputStream bytes = Files.newInputStream(file)) {
            return new String(bytes.readNBytes(SHORT_BYTES), StandardCharsets.ISO_8859_1);
        }
    }

    private static List<Path> entries(Path folder) throws IOException {
        List<Path> entries = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
            for (Path entry : all) {
                requireTime();
                entries.add(entry);
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return entries;
    }

    /** The thread is interrupted when its time for a process is over. */
    private static void requireTime() throws ClosedByInterruptException {
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
    }
}
