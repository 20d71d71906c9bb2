// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static org.example.client.Gateway.OWN;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.constraint.ConstraintKind;
import org.dmabuf.heap.constraint.ConstraintValue;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.constraint.DemandConflict;
import org.dmabuf.heap.constraint.HeapFacts;

/** Checks of demands, and of plans for devices. */
final class DemandChecks {
    private static final AllocationRequest REQUEST = AllocationRequest.of(4096).withHeaps(OWN);

    private final HeapBroker broker;

    DemandChecks(Gateway gateway) {
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("demands keep their texts", DemandChecks::demandsKeepTheirTexts);
        report.run("kinds are declared", DemandChecks::kindsAreDeclared);
        report.run("values are merged and compared with facts", DemandChecks::valuesAreMergedAndCompared);
        report.run("a plan serves a device", this::aPlanServesADevice);
        report.run("a conflict is reported", this::aConflictIsReported);
        report.run("an exception is made of a conflict", DemandChecks::anExceptionIsMadeOfAConflict);
    }

    private static void demandsKeepTheirTexts() {
        Demand demand = Demand.of("/dev/video0", ConstraintKind.ADDRESS, "32bit", "a file");
        Expect.same("/dev/video0", demand.who());
        Expect.same(ConstraintKind.ADDRESS, demand.kind());
        Expect.same("a file", demand.why());
        Expect.same(demand, Demand.parse("/dev/video0 address=32bit a file"));
        Expect.same(
                demand.toString(),
                Demand.of(demand.who(), demand.value(), demand.why()).toString());
        Expect.failure(IllegalArgumentException.class, () -> Demand.parse("/dev/video0"));
    }

    private static void kindsAreDeclared() {
        for (ConstraintKind kind : List.of(
                ConstraintKind.range("window", "kept.window"),
                ConstraintKind.multiple("step", "kept.step"),
                ConstraintKind.atMost("most", "kept.most"),
                ConstraintKind.atLeast("least", "kept.least"),
                ConstraintKind.oneOf("bank", "kept.bank"),
                ConstraintKind.noneOf("not-bank", "kept.bank"),
                ConstraintKind.must("fast", "kept.fast"))) {
            Expect.same(kind, ConstraintKind.parse(kind.toString()));
            Expect.yes(!kind.isUnknown());
            Expect.yes(ConstraintKind.named(kind.name()).isUnknown());
            Expect.same(
                    kind,
                    Demand.parse("x " + kind.name() + "=any", List.of(kind)).kind());
        }
        for (ConstraintKind kind : List.of(
                ConstraintKind.ADDRESS,
                ConstraintKind.SG,
                ConstraintKind.ALIGNMENT,
                ConstraintKind.BOUNDARY,
                ConstraintKind.SIZE_MIN,
                ConstraintKind.SIZE_MAX,
                ConstraintKind.GRANULE,
                ConstraintKind.BUFFERS,
                ConstraintKind.CPU,
                ConstraintKind.NUMA,
                ConstraintKind.HEAP,
                ConstraintKind.NOT_HEAP,
                ConstraintKind.DMABUF,
                ConstraintKind.PROTECTED,
                ConstraintKind.READONLY,
                ConstraintKind.MAPPABLE)) {
            Expect.same(kind, ConstraintKind.named(kind.name()));
        }
    }

    private static void valuesAreMergedAndCompared() {
        ConstraintValue two = ConstraintValue.parse(ConstraintKind.ALIGNMENT, "8K");
        ConstraintValue three = ConstraintValue.parse(ConstraintKind.ALIGNMENT, "12K");
        Expect.same("24K", two.merge(three).orElseThrow().toString());
        Expect.same(8192L, two.number().orElseThrow());
        Expect.same(ConstraintKind.ALIGNMENT, two.kind());
        Expect.yes(!two.isAny());
        ConstraintValue names = ConstraintValue.ofWords(ConstraintKind.HEAP, Set.of("a,b"));
        Expect.same(Set.of("a,b"), names.words());
        HeapFacts facts = HeapFacts.of(Map.of(
                HeapProperties.ALIGNMENT, 65_536L,
                HeapProperties.SIZE_MAX, 1L << 20,
                HeapProperties.SIZE_GRANULE, 8192L));
        Expect.yes(two.isMetBy(facts, 1) && !three.isMetBy(facts, 1));
        Expect.same(1L << 20, facts.largestSize());
        Expect.same(8192L, facts.sizeOf(1));
        Expect.same(65_536L, facts.number(HeapProperties.ALIGNMENT).orElseThrow());
        Expect.same(Long.MAX_VALUE, facts.addressSpan());
        Expect.yes(!facts.flag(HeapProperties.DMABUF));
    }

    private void aPlanServesADevice() {
        AllocationRequest request = REQUEST.forDevices("/dev/kept").withDemands(Demand.parse("client size.min=4K"));
        AllocationPlan plan = broker.plan(request);
        Expect.same(request, plan.request());
        Expect.same(List.of("/dev/kept"), request.devices());
        Expect.same(1, request.demands().size());
        Expect.same(
                List.of("/dev/kept mappable=true kept", "/dev/kept buffers=2 kept", "client size.min=4K"),
                plan.demands().stream().map(Demand::toString).toList());
        Expect.same(4096L, plan.size());
        Expect.same(2L, plan.buffers());
        Expect.same(List.of(OWN), plan.heaps());
        Expect.same(2, broker.demandsOf("/dev/kept").size());
        Expect.same(List.of(), broker.demandsOf("/dev/kept-absent"));
        Expect.yes(plan.refusals().stream().noneMatch(refusal -> refusal.heap().equals(OWN)));
        try (DmaBuf one = plan.allocate()) {
            Expect.same(OWN, one.heapName());
        }
        plan.allocate(2).forEach(DmaBuf::close);
        broker.allocate(request).close();
    }

    private void aConflictIsReported() {
        Demand bank = Demand.parse("client bank=7");
        HeapException refusal =
                Expect.failure(HeapRefusedException.class, () -> broker.allocate(REQUEST.withDemands(bank)));
        Expect.same(Errno.ENODEV, refusal.errno());
        DemandConflict conflict = refusal.conflict().orElseThrow();
        Expect.yes(!conflict.isContradiction());
        Expect.same(List.of(OWN), conflict.servingWithout(conflict.demands().getFirst()));
        Expect.failure(HeapRefusedException.class, () -> broker.plan(REQUEST.forDevices("/dev/kept-absent")));
    }

    private static void anExceptionIsMadeOfAConflict() {
        Demand bank = Demand.parse("client bank=7");
        DemandConflict conflict = DemandConflict.of(true, List.of(bank), List.of(List.of(OWN)));
        HeapException refusal = HeapException.ofConflict("plan", conflict, List.of());
        Expect.same(Errno.EINVAL, refusal.errno());
        Expect.same(conflict, refusal.conflict().orElseThrow());
        Expect.yes(refusal.getMessage().startsWith("plan failed: "));
    }
}
