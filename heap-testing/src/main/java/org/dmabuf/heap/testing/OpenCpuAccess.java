// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.CpuAccess;

/** CPU access in progress. */
final class OpenCpuAccess extends Use implements CpuAccess {
    OpenCpuAccess(Memory memory, ClientBroker client, Access access) {
        super("CPU access for " + access, memory, client);
    }
}
