// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Optional;
import org.dmabuf.heap.spi.HeapVerifier;

/**
 * Check of a verifier with a fixed result.
 *
 * @param name its sentence
 * @param skipReason why it is skipped
 * @param failure how the heap fails
 */
record FakeCheck(String name, Optional<String> skipReason, Optional<String> failure) implements HeapVerifier.Check {
    static FakeCheck passing(String name) {
        return new FakeCheck(name, Optional.empty(), Optional.empty());
    }

    static FakeCheck skipped(String name, String reason) {
        return new FakeCheck(name, Optional.of(reason), Optional.empty());
    }

    static FakeCheck failing(String name, String how) {
        return new FakeCheck(name, Optional.empty(), Optional.of(how));
    }
}
