// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.Collection;
import org.apache.felix.service.command.Converter;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.service.component.annotations.Component;

/** How heaps and buffers look in a terminal. */
@Component(
        property = {
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.shell.BufferInfo",
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.shell.LoadedFile",
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.shell.Checksum",
            Converter.CONVERTER_CLASSES + "=org.dmabuf.heap.shell.HandedOver"
        })
public final class HeapConverter implements Converter {
    private static final String UNKNOWN = "-";

    @Override
    public Object convert(Class<?> desired, Object from) {
        return null; // text becomes no heap and no buffer
    }

    @Override
    public CharSequence format(Object target, int level, Converter escape) {
        return switch (target) {
            case Collection<?> some when all(BufferInfo.class, some) -> buffers(some);
            case BufferInfo buffer when level == INSPECT -> details(buffer);
            case BufferInfo buffer -> Printable.of(buffer.name());
            case LoadedFile file when level == INSPECT -> details(file);
            case LoadedFile file -> Printable.of(file.buffer().name());
            case Checksum sum -> sum.sha256() + "  " + Printable.of(sum.buffer());
            case HandedOver over when level == INSPECT -> details(over);
            case HandedOver over -> Printable.of(over.buffer().name());
            default -> null;
        };
    }

    private static boolean all(Class<?> type, Collection<?> some) {
        return !some.isEmpty() && some.stream().allMatch(type::isInstance);
    }

    private static String buffers(Collection<?> buffers) {
        Table table = new Table("NAME", "SIZE ", "HEAP", "BACKEND", "DMA-BUF", "INODE ");
        for (Object one : buffers) {
            BufferInfo buffer = (BufferInfo) one;
            table.row(
                    buffer.name(),
                    Bytes.text(buffer.size()),
                    buffer.heap(),
                    buffer.backend(),
                    buffer.dmabuf() ? "yes" : "no",
                    buffer.inode().isPresent() ? Long.toString(buffer.inode().getAsLong()) : UNKNOWN);
        }
        return table.toString();
    }

    private static String details(BufferInfo buffer) {
        Details details = new Details();
        details.add("buffer", buffer.name());
        details.add("size", size(buffer.size()));
        details.add("heap", buffer.heap());
        details.add("backend", buffer.backend());
        if (buffer.inode().isPresent()) {
            details.add("descriptor", descriptors(buffer.dmabuf()));
            details.add("inode", Long.toString(buffer.inode().getAsLong()));
        } else {
            details.add("descriptor", "none, it was allocated without");
        }
        return details.toString();
    }

    private static String details(LoadedFile file) {
        Details details = new Details();
        details.add("file", size(file.bytes()));
        return details + "\n" + details(file.buffer()) + "\n"
                + new Details()
                        .add("sha-256", file.sha256Mapping() + "  (through the mapping)")
                        .add("sha-256", file.sha256Descriptor() + "  (through an exported descriptor)");
    }

    private static String details(HandedOver over) {
        return details(over.buffer()) + "\n"
                + new Details()
                        .add("content", size(over.bytes()))
                        .add(over.sent() ? "given to" : "received from", over.peer().toString());
    }

    private static String descriptors(boolean dmabuf) {
        return dmabuf
                ? "dma-buf: devices import it, other processes map it"
                : "no dma-buf: other processes map it, no device imports it";
    }

    private static String size(long bytes) {
        return bytes < 1024 ? bytes + " bytes" : bytes + " bytes (" + Bytes.text(bytes) + ")";
    }

    /** Lines of a key and a value. */
    private static final class Details {
        private final StringBuilder text = new StringBuilder();

        Details add(String key, String value) {
            text.append(text.isEmpty() ? "" : "\n")
                    .append(String.format("%-22s%s", Printable.of(key), Printable.of(value)));
            return this;
        }

        @Override
        public String toString() {
            return text.toString();
        }
    }
}
