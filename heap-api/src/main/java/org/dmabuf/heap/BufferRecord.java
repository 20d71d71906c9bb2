// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/** Snapshot of one charged buffer. Immutable. */
public final class BufferRecord {
    /** Builder of a record, for the broker. Not thread-safe. */
    public static final class Builder {
        private final String heap;
        private final ClientId client;
        private final long size;
        private String origin = "";
        private Optional<String> name = Optional.empty();
        private OptionalLong inode = OptionalLong.empty();
        private OptionalLong fileSystem = OptionalLong.empty();
        private int references;
        private int mappings;
        private int cpuAccesses;
        private boolean exported;
        private boolean lingering;
        private Duration age = Duration.ZERO;
        private List<StackTraceElement> site = List.of();

        private Builder(String heap, ClientId client, long size) {
            this.heap = Objects.requireNonNull(heap);
            this.client = Objects.requireNonNull(client);
            this.size = size;
        }

        /**
         * Sets the origin of the client.
         *
         * @param text as the view of the client was opened, empty if it is unknown
         * @return this
         */
        public Builder origin(String text) {
            origin = Objects.requireNonNull(text);
            return this;
        }

        /**
         * Sets the name.
         *
         * @param given the buffer's name, empty for a buffer without a name
         * @return this
         */
        public Builder name(Optional<String> given) {
            name = Objects.requireNonNull(given);
            return this;
        }

        /**
         * Sets the inode.
         *
         * @param number of the descriptor's file, empty for a buffer without one
         * @return this
         */
        public Builder inode(OptionalLong number) {
            inode = Objects.requireNonNull(number);
            return this;
        }

        /**
         * Sets the file system, which the inode number belongs to.
         *
         * @param number its device number, empty if unknown
         * @return this
         */
        public Builder fileSystem(OptionalLong number) {
            fileSystem = Objects.requireNonNull(number);
            return this;
        }

        /**
         * Sets how many references, mappings and CPU accesses are open.
         *
         * @param openReferences references
         * @param openMappings mappings
         * @param openCpuAccesses CPU accesses
         * @return this
         */
        public Builder open(int openReferences, int openMappings, int openCpuAccesses) {
            references = openReferences;
            mappings = openMappings;
            cpuAccesses = openCpuAccesses;
            return this;
        }

        /**
         * Sets whether it was exported.
         *
         * @param was whether a descriptor of it was exported
         * @return this
         */
        public Builder exported(boolean was) {
            exported = was;
            return this;
        }

        /**
         * Sets whether it lingers.
         *
         * @param does whether this process has closed the buffer while a holder still has its memory
         * @return this
         */
        public Builder lingering(boolean does) {
            lingering = does;
            return this;
        }

        /**
         * Sets the age.
         *
         * @param time since it was allocated or adopted
         * @return this
         */
        public Builder age(Duration time) {
            age = Objects.requireNonNull(time);
            return this;
        }

        /**
         * Sets the allocation site.
         *
         * @param calls innermost first
         * @return this
         */
        public Builder site(List<StackTraceElement> calls) {
            site = List.copyOf(calls);
            return this;
        }

        /** {@return a record with the values set so far} */
        public BufferRecord build() {
            return new BufferRecord(this);
        }
    }

    private final String heap;
    private final ClientId client;
    private final String origin;
    private final Optional<String> name;
    private final long size;
    private final OptionalLong inode;
    private final OptionalLong fileSystem;
    private final int references;
    private final int mappings;
    private final int cpuAccesses;
    private final boolean exported;
    private final boolean lingering;
    private final Duration age;
    private final List<StackTraceElement> site;

    private BufferRecord(Builder from) {
        heap = from.heap;
        client = from.client;
        origin = from.origin;
        name = from.name;
        size = from.size;
        inode = from.inode;
        fileSystem = from.fileSystem;
        references = from.references;
        mappings = from.mappings;
        cpuAccesses = from.cpuAccesses;
        exported = from.exported;
        lingering = from.lingering;
        age = from.age;
        site = from.site;
    }

    /**
     * Begins a record.
     *
     * @param heap the heap that the buffer came from
     * @param client the client that it is charged to
     * @param size bytes
     * @return a builder with these values
     */
    public static Builder of(String heap, ClientId client, long size) {
        return new Builder(heap, client, size);
    }

    /** {@return the heap that it came from, {@code adopted} for adopted memory} */
    public String heap() {
        return heap;
    }

    /** {@return the client that allocated or adopted it} */
    public ClientId client() {
        return client;
    }

    /**
     * {@return the process of a client outside the framework and where it runs, as {@link
     * HeapBroker#openView(ClientId, String)} got it; empty if it is unknown}
     */
    public Optional<String> origin() {
        return origin.isEmpty() ? Optional.empty() : Optional.of(origin);
    }

    /** {@return its name} */
    public Optional<String> name() {
        return name;
    }

    /** {@return the size in bytes} */
    public long size() {
        return size;
    }

    /** {@return the inode of its descriptors, also while the buffer lingers; empty before the first export} */
    public OptionalLong inode() {
        return inode;
    }

    /**
     * {@return the device number of the file system of that inode, {@code st_dev}; both together identify the memory on
     * this machine. Empty before the first export, and if unknown}
     */
    public OptionalLong fileSystem() {
        return fileSystem;
    }

    /** {@return open references: those of the client, of other clients, and of publications} */
    public int references() {
        return references;
    }

    /** {@return mappings whose arenas have not ended} */
    public int mappings() {
        return mappings;
    }

    /** {@return CPU accesses that were begun and not ended} */
    public int cpuAccesses() {
        return cpuAccesses;
    }

    /** {@return whether a descriptor of it was exported} */
    public boolean exported() {
        return exported;
    }

    /** {@return whether this process has closed it while a holder still has its memory} */
    public boolean lingering() {
        return lingering;
    }

    /** {@return time since it was allocated or adopted, to within a few seconds} */
    public Duration age() {
        return age;
    }

    /**
     * {@return where it was allocated, innermost call first; empty unless allocation sites were recorded at that time}
     */
    public List<StackTraceElement> site() {
        return site;
    }

    /**
     * Converts the record to a map that a JSON library can write. Keys are the names of the methods above; values are
     * String, Long, Boolean, or a list of String. The age is in nanoseconds. An empty value has no key.
     *
     * @return a map in the order of the methods
     */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("heap", heap);
        map.put("client", client.toString());
        origin().ifPresent(text -> map.put("origin", text));
        name.ifPresent(text -> map.put("name", text));
        map.put("size", size);
        inode.ifPresent(number -> map.put("inode", number));
        fileSystem.ifPresent(number -> map.put("fileSystem", number));
        map.put("references", (long) references);
        map.put("mappings", (long) mappings);
        map.put("cpuAccesses", (long) cpuAccesses);
        map.put("exported", exported);
        map.put("lingering", lingering);
        map.put("age", age.toNanos());
        if (!site.isEmpty()) {
            map.put("site", site.stream().map(StackTraceElement::toString).toList());
        }
        return map;
    }

    @Override
    public String toString() {
        return toMap().toString();
    }
}
