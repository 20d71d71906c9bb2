// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.HeapFacts;
import org.dmabuf.heap.linux.daemon.QuietLog;
import org.dmabuf.heap.spi.ProbeOutcome;

/**
 * Memory of the outcomes of probes, in a text file with one outcome a line. An outcome applies as long as the driver,
 * its parameters and the kernel are the same. Refusals and copies become demands.
 *
 * <p>Any thread may call any method. If the file cannot be written, the outcomes stay in this object.
 */
public final class OutcomeMemory {
    /** Many devices with some heaps and formats each. */
    static final int MOST = 500;

    private static final QuietLog LOG = new QuietLog(OutcomeMemory.class);
    private static final String HEADING = "# outcomes of probes of devices; to forget them: dmaheap:probe --forget";
    /** A line is far shorter than 1 KiB. A larger file is not ours. */
    private static final long LARGEST_FILE = 1024L * MOST;

    private static final ConstraintValue CONTIGUOUS = ConstraintValue.parse(ConstraintKind.SG, "contiguous");

    private final Optional<Path> file;
    private final InstantSource clock;
    private final Runnable changed;
    /** In the order of their dates, guarded by itself. */
    private final Map<StoredOutcome.Key, StoredOutcome> outcomes = new LinkedHashMap<>();

    private OutcomeMemory(Optional<Path> file, InstantSource clock, Runnable changed) {
        this.file = file;
        this.clock = clock;
        this.changed = changed;
    }

    /**
     * Opens a memory. A damaged line of its file is left out, and logged.
     *
     * @param file its file, which need not exist; empty for a memory that ends with this object
     * @param clock the dates of outcomes
     * @param changed called without a lock, after demands have changed
     * @return a memory
     */
    public static OutcomeMemory open(Optional<Path> file, InstantSource clock, Runnable changed) {
        OutcomeMemory memory = new OutcomeMemory(file, clock, changed);
        file.filter(Files::exists).ifPresent(memory::read);
        return memory;
    }

    private void read(Path from) {
        try {
            if (Files.size(from) > LARGEST_FILE) {
                LOG.warn("{} is too large for outcomes of probes and is ignored; probe the devices again", from);
                return;
            }
            int damaged = 0;
            String text = new String(Files.readAllBytes(from), StandardCharsets.UTF_8);
            for (String line : text.lines().filter(one -> !one.startsWith("#")).toList()) {
                Optional<StoredOutcome> outcome = StoredOutcome.parse(line);
                damaged += outcome.isEmpty() ? 1 : 0;
                outcome.ifPresent(this::put);
            }
            if (damaged > 0) {
                LOG.warn("ignored {} damaged lines of {}; probe the devices again", damaged, from);
            }
        } catch (IOException e) {
            LOG.warn("reading {} failed: {}; probe the devices again", from, e.toString());
        }
    }

    /**
     * Remembers the outcome of a trial if it says something about later buffers. A later acceptance does not end an
     * earlier refusal, because it holds for its own buffer only; {@link #forget} ends both. A descriptor that is no
     * dma-buf proves nothing, because the device demands a dma-buf anyway.
     *
     * @param entry of the device, in the state in which it answered
     * @param buffer that the device was asked to take
     * @param size bytes that the device needed
     * @param format of the device
     * @param outcome the device's answer
     */
    public void remember(DeviceEntry entry, DmaBuf buffer, long size, String format, ProbeOutcome outcome) {
        HeapFacts facts = HeapFacts.of(buffer.heapProperties());
        if (!facts.flag(HeapProperties.DMABUF)) {
            return;
        }
        StoredOutcome made = new StoredOutcome(
                entry.node(),
                entry.driver(),
                entry.fingerprint(),
                entry.release(),
                buffer.heapName(),
                size,
                format,
                CONTIGUOUS.isMetBy(facts, size),
                outcome,
                LocalDate.ofInstant(clock.instant(), ZoneOffset.UTC));
        if (!outcome.isLasting() && !made.isAcceptanceOfOneRun()) {
            return; // it proves nothing
        }
        boolean isNews;
        synchronized (outcomes) {
            StoredOutcome before = outcomes.get(made.key());
            if (before != null && before.outcome().isLasting() && !outcome.isLasting()) {
                return;
            }
            put(made);
            write();
            isNews = !made.provesSameAs(before);
        }
        if (isNews) {
            changed.run();
        }
    }

    private void put(StoredOutcome outcome) {
        outcomes.remove(outcome.key());
        outcomes.put(outcome.key(), outcome);
        if (outcomes.size() > MOST) {
            StoredOutcome oldest = outcomes.remove(outcomes.keySet().iterator().next());
            LOG.warn("more than {} outcomes of probes: {} is forgotten, the oldest one", MOST, oldest.line());
        }
    }

    /**
     * Returns the demands that follow from the outcomes of a device: {@code not-heap} for each heap whose memory it
     * refused or the kernel copied; and {@code sg=contiguous} if it refused memory in pieces with EFAULT and took
     * contiguous memory, for the same format and size.
     *
     * @param device the path that the client named
     * @param entry of the device
     * @return demands; empty if no outcome applies
     */
    public List<Demand> demands(String device, DeviceEntry entry) {
        List<StoredOutcome> its = of(entry);
        Map<String, Demand> byHeap = new LinkedHashMap<>(); // the last outcome of a heap
        Optional<Demand> contiguous = Optional.empty();
        for (StoredOutcome outcome : its) {
            if (outcome.outcome().isLasting()) {
                ConstraintValue excluded = ConstraintValue.ofWords(ConstraintKind.NOT_HEAP, Set.of(outcome.heap()));
                byHeap.put(outcome.heap(), Demand.of(device, excluded, outcome.why()));
            }
            if (outcome.isRefusalOfPieces()) {
                for (StoredOutcome other : its) {
                    if (other.isAcceptanceOfOneRun() && other.isTrialLike(outcome)) {
                        contiguous = Optional.of(Demand.of(device, CONTIGUOUS, outcome.comparedWith(other)));
                    }
                }
            }
        }
        List<Demand> demands = new ArrayList<>(byHeap.values());
        contiguous.ifPresent(demands::add);
        return List.copyOf(demands);
    }

    private List<StoredOutcome> of(DeviceEntry entry) {
        List<StoredOutcome> its;
        synchronized (outcomes) {
            its = outcomes.values().stream()
                    .filter(outcome -> outcome.isOfNode(entry.node()))
                    .toList();
        }
        return its.isEmpty()
                ? its
                : its.stream().filter(outcome -> outcome.isOf(entry)).toList();
    }

    /**
     * Forgets all outcomes of a device, also those of another state of its driver.
     *
     * @param entry of the device
     * @return their number
     */
    public int forget(DeviceEntry entry) {
        int forgotten;
        synchronized (outcomes) {
            forgotten = outcomes.size();
            outcomes.values().removeIf(outcome -> outcome.isOfNode(entry.node()));
            forgotten -= outcomes.size();
            if (forgotten > 0) {
                write();
            }
        }
        if (forgotten > 0) {
            changed.run();
        }
        return forgotten;
    }

    /** Replaces the file as a whole, so that a crash leaves the former or the new one. */
    private void write() {
        if (file.isEmpty()) {
            return;
        }
        StringBuilder text = new StringBuilder(HEADING).append('\n');
        outcomes.values().forEach(outcome -> text.append(outcome.line()).append('\n'));
        Path part = file.get().resolveSibling(file.get().getFileName() + ".part");
        try {
            try (FileChannel channel = FileChannel.open(
                    part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
                ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.force(true);
            }
            Files.move(part, file.get(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.warn(
                    "writing {} failed: {}; the outcomes of probes are lost when the bundle stops",
                    file.get(),
                    e.toString());
        }
    }
}
