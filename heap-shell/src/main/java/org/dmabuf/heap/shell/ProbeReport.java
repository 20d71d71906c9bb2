// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.spi.DeviceProbe;
import org.dmabuf.heap.spi.ProbeOutcome;

/** Report of {@code dmaheap:probe}: the answer of a device to one buffer of each heap. */
final class ProbeReport {
    private static final String NOT_ASKED = "not asked";

    /** Answer to the buffer of one heap, or the reason why the device was not asked. */
    private record Answer(String heap, Optional<ProbeOutcome> outcome, String detail) {
        String result() {
            return outcome.map(answer -> answer.result().name().toLowerCase(Locale.ROOT))
                    .orElse(NOT_ASKED);
        }
    }

    private final String device;
    private final String format;
    private final long size;
    private final List<Answer> answers;
    /** The heaps that requests for the device exclude afterwards. */
    private final List<String> excluded;

    private ProbeReport(String device, String format, long size, List<Answer> answers, List<String> excluded) {
        this.device = device;
        this.format = format;
        this.size = size;
        this.answers = answers;
        this.excluded = excluded;
    }

    /**
     * Asks a device about the memory of heaps. A heap that gives no buffer does not end the probe.
     *
     * @param broker allocates the buffers
     * @param probe knows the device
     * @param device its path
     * @param heaps names of heaps
     * @return the answers; empty if the probe does not know the device
     * @throws HeapException when the device cannot be asked at all
     */
    static Optional<ProbeReport> of(HeapBroker broker, DeviceProbe probe, String device, List<String> heaps) {
        Optional<DeviceProbe.Trial> begun = probe.begin(device);
        if (begun.isEmpty()) {
            return Optional.empty();
        }
        List<Answer> answers = new ArrayList<>();
        String format;
        long size;
        try (DeviceProbe.Trial trial = begun.get()) {
            format = trial.format();
            size = trial.size();
            for (String heap : heaps) {
                answers.add(ask(broker, trial, heap));
            }
        }
        return Optional.of(new ProbeReport(device, format, size, answers, excluded(broker, device)));
    }

    private static Answer ask(HeapBroker broker, DeviceProbe.Trial trial, String heap) {
        AllocationRequest request =
                AllocationRequest.of(trial.size()).withHeaps(heap).withName("probe");
        try (DmaBuf buffer = broker.allocate(request)) {
            ProbeOutcome outcome = trial.attach(buffer);
            return new Answer(heap, Optional.of(outcome), outcome.toString());
        } catch (HeapException e) {
            return new Answer(heap, Optional.empty(), OptionWords.of(e.reason()));
        }
    }

    private static List<String> excluded(HeapBroker broker, String device) {
        TreeSet<String> names = new TreeSet<>();
        broker.demandsOf(device).stream()
                .filter(demand -> demand.kind().equals(ConstraintKind.NOT_HEAP))
                .forEach(demand -> names.addAll(demand.value().words()));
        return List.copyOf(names);
    }

    /** {@return the report in lines of at most 80 characters} */
    String text() {
        Table table = new Table("HEAP…", "RESULT", "DETAIL…");
        StringBuilder reasons = new StringBuilder();
        for (Answer answer : answers) {
            boolean asked = answer.outcome().isPresent();
            table.row(answer.heap(), answer.result(), asked ? answer.detail() : "see below");
            if (!asked) {
                reasons.append('\n').append(Paragraph.of("", answer.heap() + ": " + answer.detail(), 2));
            }
        }
        Facts facts = new Facts();
        facts.add("device", device);
        facts.add("format", format);
        facts.addSize("size", size);
        StringBuilder text = new StringBuilder().append(facts).append("\n\n").append(table.within(Table.WIDTH));
        text.append(reasons.isEmpty() ? "" : "\n").append(reasons);
        text.append("\n\n").append(Paragraph.of("", """
                Each answer is to one buffer, and the device is as it was before. An acceptance proves nothing about \
                other buffers of a heap, unless its heap.address.min and heap.address.max cover all of them.""", 0));
        if (!excluded.isEmpty()) {
            text.append("\n\n")
                    .append(Paragraph.of(
                            "",
                            "Requests for " + device + " exclude these heaps: "
                                    + String.join(", ", excluded) + ". The reasons: dmaheap:constraints " + device
                                    + ". To forget the answers: dmaheap:probe --forget " + device,
                            0));
        }
        return text.toString();
    }

    /** {@return the report for JSON; an empty list is left out} */
    Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("device", device);
        map.put("format", format);
        map.put("size", size);
        map.put("heaps", answers.stream().map(ProbeReport::json).toList());
        if (!excluded.isEmpty()) {
            map.put("excluded", excluded);
        }
        return map;
    }

    private static Map<String, Object> json(Answer answer) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", answer.heap());
        map.put("result", answer.result());
        map.put("detail", answer.detail());
        answer.outcome().ifPresent(outcome -> {
            map.put("copiesObservable", outcome.isBounceObservable());
            outcome.operation().ifPresent(operation -> map.put("operation", operation));
            outcome.number().ifPresent(number -> map.put("errno", number));
            outcome.bouncedBytes().ifPresent(bytes -> map.put("copied", bytes));
        });
        return map;
    }
}
