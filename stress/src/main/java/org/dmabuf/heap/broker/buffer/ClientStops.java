// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.buffer;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.broker.Parts;
import org.dmabuf.heap.broker.service.Clients;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * Tests of a bundle that stops while its threads still open and close resources. No resource stays open or ends twice.
 */
public class ClientStops {
    /** State of all tests: the memory is released once, is not used after the release, and no charge remains. */
    @State
    public static class Stopping {
        final Parts parts = new Parts();

        void check(IIII_Result result) {
            parts.settle();
            result.r2 = parts.memory.released();
            result.r3 = parts.memory.misused();
            result.r4 = parts.charged();
        }
    }

    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "kept and taken back, or refused")
    @State
    public static class KeepAgainstStop extends Stopping {
        private final SharedBuffer buffer = parts.buffer();

        @Actor
        public void keep(IIII_Result result) {
            try {
                BufferReference.open(parts.client, buffer);
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void stop() {
            parts.client.stop("the bundle has stopped");
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /** Another hold keeps the memory. If the reference ended twice, the memory would be released despite that hold. */
    @JCStressTest
    @Outcome(id = "0, 1, 0, 0", expect = Expect.ACCEPTABLE, desc = "closed once, by either")
    @State
    public static class CloseAgainstStop extends Stopping {
        private final SharedBuffer buffer = parts.buffer();
        private final BufferReference reference = BufferReference.open(parts.client, buffer);

        public CloseAgainstStop() {
            buffer.hold();
        }

        @Actor
        public void close() {
            reference.close();
        }

        @Actor
        public void stop() {
            parts.client.stop("the bundle has stopped");
        }

        @Arbiter
        public void settled(IIII_Result result) {
            parts.settle();
            result.r1 = parts.memory.released();
            buffer.drop();
            check(result);
        }
    }

    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "the bracket is ended either way")
    @State
    public static class BracketAgainstStop extends Stopping {
        private final BufferReference reference = parts.reference();

        @Actor
        public void begin(IIII_Result result) {
            try {
                reference.beginCpuAccess(Access.READ); // and forgets it
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void stop() {
            parts.client.stop("the bundle has stopped");
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /**
     * A bundle gets its broker while the broker stops. It gets no broker, or one whose resources are all taken back.
     */
    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "taken back, or none was given")
    @State
    public static class GetAgainstStopOfTheBroker extends Stopping {
        private final Clients clients = parts.clients();

        @Actor
        public void get(IIII_Result result) {
            SharedBuffer buffer = parts.buffer();
            Client client;
            try {
                client = clients.of(Parts.BUNDLE);
            } catch (IllegalStateException e) {
                buffer.drop();
                return;
            }
            try {
                BufferReference.open(client, buffer);
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void stop() {
            clients.stopAll();
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }

    /** A bundle opens a published buffer while the publication ends. */
    @JCStressTest
    @Outcome(
            id = {"0, 1, 0, 0", "1, 1, 0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "opened and closed, or refused")
    @State
    public static class OpenAgainstEndOfPublication extends Stopping {
        private final Publication publication = Parts.published(parts.clients(), parts.buffer());
        private final PublishedBuffer published = Parts.got(publication);

        @Actor
        public void open(IIII_Result result) {
            try {
                published.open().close();
                result.r1 = 1;
            } catch (IllegalStateException e) {
                result.r1 = 0;
            }
        }

        @Actor
        public void close() {
            publication.close();
        }

        @Arbiter
        public void settled(IIII_Result result) {
            check(result);
        }
    }
}
