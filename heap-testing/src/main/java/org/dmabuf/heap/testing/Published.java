// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.testing;

import org.dmabuf.heap.Access;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Publication;
import org.dmabuf.heap.PublishedBuffer;

/** Publication with a reference of its own. */
final class Published extends Use implements Publication {
    private final String name;
    private final Access granted;

    Published(Memory memory, ClientBroker client, String name, Access granted) {
        super("publication '" + name + "'", memory, client);
        this.name = name;
        this.granted = granted;
    }

    String name() {
        return name;
    }

    /** {@return the service for one consumer} */
    PublishedBuffer to(ClientBroker consumer) {
        return new PublishedBuffer() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public long size() {
                return memory().size();
            }

            @Override
            public Access access() {
                return granted;
            }

            @Override
            public DmaBuf open() {
                return consumer.inventory().open(new Reference(memory(), consumer, granted), Published.this);
            }

            @Override
            public String toString() {
                return Published.this.toString();
            }
        };
    }
}
