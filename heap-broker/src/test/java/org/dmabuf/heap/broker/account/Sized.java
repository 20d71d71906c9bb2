// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.account;

import java.util.Optional;

/** Properties of a buffer that a charge needs. */
record Sized(long size) implements Charged {
    @Override
    public Optional<String> name() {
        return Optional.empty();
    }

    @Override
    public Optional<ExportedFile> file() {
        return Optional.empty();
    }

    @Override
    public Uses uses() {
        return Uses.NONE;
    }
}
