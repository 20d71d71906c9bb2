// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.List;
import org.dmabuf.heap.broker.Memory;
import org.dmabuf.heap.broker.Parts;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Tests of concurrent charges. No sum may exceed its limit, and all sums must be zero when the last charge has ended.
 */
public class QuotaHolds {
    private static final String ONE_BUFFER = Long.toString(Memory.SIZE);

    private static Rules rules(String heap, String client, String share) {
        String[] none = {};
        return RulesParser.parse(entry(heap), entry(client), entry(share), none, none, (setting, wrong, right) -> {
            throw new AssertionError(setting + " = " + wrong + ": " + right);
        });
    }

    private static String[] entry(String key) {
        return key.isEmpty() ? new String[0] : new String[] {key + "=" + ONE_BUFFER};
    }

    /** A quota with room for one buffer. */
    static class OneFits {
        final Parts parts;
        /** Whether a sum was seen above the quota or below zero. */
        private volatile boolean beyond;

        OneFits(Rules rules) {
            parts = new Parts(rules);
        }

        /**
         * Charges and ends as the allocator does for a heap that returns a buffer. Returns 1 when it was charged, 0
         * when it was refused.
         */
        int chargeAndEnd() {
            Charge charge = parts.charge();
            if (charge.reserve(Memory.SIZE).isPresent()) {
                return 0;
            }
            look();
            if (charge.begin(parts.buffer(charge)).isPresent()) {
                charge.cancel();
                return 0;
            }
            look();
            charge.end();
            return 1;
        }

        /** Reserves and cancels as the allocator does for a heap that returns no buffer. */
        int reserveAndCancel() {
            Charge charge = parts.charge();
            if (charge.reserve(Memory.SIZE).isPresent()) {
                return 0;
            }
            look();
            charge.cancel();
            return 1;
        }

        void look() {
            UsageSnapshot snapshot = parts.account.snapshot();
            long used = snapshot.liveBytes() + snapshot.lingeringBytes();
            if (used > Memory.SIZE
                    || snapshot.peakBytes() > Memory.SIZE
                    || snapshot.liveBytes() < 0
                    || snapshot.lingeringBytes() < 0) {
                beyond = true;
            }
        }

        int wrong() {
            look();
            return parts.charged() + (beyond ? 1 : 0);
        }
    }

    /** Two threads allocate at once: one of them is charged, or both, one after the other. */
    @JCStressTest
    @Outcome(
            id = {"1, 0, 0", "0, 1, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "one has room, at a time")
    @State
    public static class ChargeAgainstChargeOnTheHeap extends OneFits {
        public ChargeAgainstChargeOnTheHeap() {
            super(rules("stress", "", ""));
        }

        @Actor
        public void one(III_Result result) {
            result.r1 = chargeAndEnd();
        }

        @Actor
        public void other(III_Result result) {
            result.r2 = chargeAndEnd();
        }

        @Arbiter
        public void check(III_Result result) {
            result.r3 = wrong();
        }
    }

    @JCStressTest
    @Outcome(
            id = {"1, 0, 0", "0, 1, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "one has room, at a time")
    @State
    public static class ChargeAgainstChargeOfTheClient extends OneFits {
        public ChargeAgainstChargeOfTheClient() {
            super(rules("", "org.example.stress", ""));
        }

        @Actor
        public void one(III_Result result) {
            result.r1 = chargeAndEnd();
        }

        @Actor
        public void other(III_Result result) {
            result.r2 = chargeAndEnd();
        }

        @Arbiter
        public void check(III_Result result) {
            result.r3 = wrong();
        }
    }

    /** A call that gets no buffer cancels its reservation, which then serves the next call, and not earlier. */
    @JCStressTest
    @Outcome(
            id = {"1, 0, 0", "0, 1, 0", "1, 1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "one has room, at a time")
    @State
    public static class ChargeAgainstCancelOnTheShare extends OneFits {
        public ChargeAgainstCancelOnTheShare() {
            super(rules("", "", "org.example.stress/stress"));
        }

        @Actor
        public void one(III_Result result) {
            result.r1 = chargeAndEnd();
        }

        @Actor
        public void other(III_Result result) {
            result.r2 = reserveAndCancel();
        }

        @Arbiter
        public void check(III_Result result) {
            result.r3 = wrong();
        }
    }

    /** A buffer lingers and ends while another is requested. It counts until its end, and not after. */
    @JCStressTest
    @Outcome(
            id = {"0, 0", "1, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "refused before the end, or charged after it")
    @State
    public static class LingerAndEndAgainstCharge extends OneFits {
        private final Charge charge;

        public LingerAndEndAgainstCharge() {
            super(rules("stress", "org.example.stress", "org.example.stress/stress"));
            charge = parts.charge();
            charge.reserve(Memory.SIZE);
            charge.begin(parts.buffer(charge));
        }

        @Actor
        public void ending() {
            charge.linger();
            charge.end();
        }

        @Actor
        public void another(II_Result result) {
            result.r1 = chargeAndEnd();
        }

        @Arbiter
        public void check(II_Result result) {
            result.r2 = wrong();
        }
    }

    /** A dump shows a charge live with its buffer, or lingering without its buffer, or not at all. */
    @JCStressTest
    @Outcome(id = "1, 0, 1, 0", expect = Expect.ACCEPTABLE, desc = "live, in the list and in the sums")
    @Outcome(id = "1, 0, 0, 0", expect = Expect.ACCEPTABLE, desc = "live in the list, and not when summed after")
    @Outcome(
            id = {"0, 1, 0, 0", "0, 0, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "lingering, or ended")
    @State
    public static class DumpAgainstLingerAndEnd extends OneFits {
        private final Charge charge = parts.charge();

        public DumpAgainstLingerAndEnd() {
            super(Rules.NONE);
            charge.begin(parts.buffer(charge));
        }

        @Actor
        public void ending() {
            charge.linger();
            charge.end();
        }

        @Actor
        public void dump(IIII_Result result) {
            List<Charge.Entry> entries = parts.account.entries();
            result.r1 = (int)
                    entries.stream().filter(entry -> entry.buffer().isPresent()).count();
            result.r2 = (int) entries.stream().filter(Charge.Entry::lingering).count();
            result.r3 = (int) parts.account.snapshot().liveBuffers();
            look();
        }

        @Arbiter
        public void check(IIII_Result result) {
            result.r4 = wrong();
        }
    }

    /** Rules are applied while a client opens its share of a heap's account. They apply to the new share. */
    @JCStressTest
    @Outcome(id = "1, 0", expect = Expect.ACCEPTABLE, desc = "limited from now on, and nothing is charged for good")
    @State
    public static class ApplyAgainstFirstCharge extends OneFits {
        public ApplyAgainstFirstCharge() {
            super(Rules.NONE);
        }

        @Actor
        public void apply() {
            parts.ledger.apply(rules("", "", "org.example.stress/stress"));
        }

        @Actor
        public void charge() {
            chargeAndEnd();
        }

        @Arbiter
        public void check(II_Result result) {
            result.r1 = parts.charge().share().snapshot().limit() == Memory.SIZE ? 1 : 0;
            result.r2 = wrong();
        }
    }
}
