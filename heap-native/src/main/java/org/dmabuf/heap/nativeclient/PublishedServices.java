// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.nativeclient;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.PublishedBuffer;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.nativeclient.protocol.Reply;
import org.osgi.framework.BundleContext;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;

/** {@link Publications} of the framework's services. */
final class PublishedServices implements Publications {
    private final BundleContext context;

    PublishedServices(BundleContext context) {
        this.context = context;
    }

    @Override
    public List<Reply.PublishedEntry> list() {
        return references().stream()
                .map(PublishedServices::entry)
                .sorted(Comparator.comparing(Reply.PublishedEntry::name))
                .toList();
    }

    private static Reply.PublishedEntry entry(ServiceReference<PublishedBuffer> reference) {
        return new Reply.PublishedEntry(
                name(reference),
                reference.getProperty(HeapProperties.BUFFER_SIZE) instanceof Long size ? size : 0,
                String.valueOf(reference.getProperty(HeapProperties.NAME)));
    }

    private static String name(ServiceReference<PublishedBuffer> reference) {
        return String.valueOf(reference.getProperty(HeapProperties.BUFFER_NAME));
    }

    @Override
    public Optional<DmaBuf> open(String name, boolean write) {
        Optional<ServiceReference<PublishedBuffer>> found = references().stream()
                .filter(reference -> name(reference).equals(name))
                .max(Comparator.naturalOrder());
        if (found.isEmpty()) {
            return Optional.empty();
        }
        PublishedBuffer buffer = context.getService(found.get());
        if (buffer == null) {
            return Optional.empty(); // it ended meanwhile
        }
        try {
            if (write && !buffer.access().writes()) {
                throw HeapException.of(
                        Errno.EACCES,
                        "the buffer '" + Printable.of(name) + "' is published for reading; open it read-only");
            }
            return Optional.of(buffer.open());
        } finally {
            context.ungetService(found.get());
        }
    }

    private Collection<ServiceReference<PublishedBuffer>> references() {
        try {
            return context.getServiceReferences(PublishedBuffer.class, null);
        } catch (InvalidSyntaxException e) {
            throw new AssertionError(e); // there is no filter
        }
    }
}
