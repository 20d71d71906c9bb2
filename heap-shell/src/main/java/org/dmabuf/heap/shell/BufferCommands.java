// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shell commands that allocate and free buffers and work on their content. */
@Component(
        immediate = true,
        service = {BufferCommands.class, CommandSet.class},
        property = {
            "osgi.command.scope=dmaheap",
            "osgi.command.function=alloc",
            "osgi.command.function=load",
            "osgi.command.function=buffers",
            "osgi.command.function=free",
            "osgi.command.function=sum",
            "osgi.command.function=save",
            "osgi.command.function=fill",
            "osgi.command.function=hexdump"
        })
public final class BufferCommands implements CommandSet {
    /** The kernel's limit for the name of a dma-buf, without the terminating NUL. */
    static final int NAME_BYTES = 31;

    private static final long FIRST_BYTES = 256;

    private static final Option HEAP =
            Option.valued('h', "heap", "NAMES", "heaps to ask in this order, separated by commas");
    private static final Option MASK = Option.valued('m', "mask", "BITS", "mask of heap ids to ask, such as 0x5");
    private static final Option REQUIRING =
            Option.valued('r', "requiring", "FILTER", "required properties, such as '(heap.dmabuf=true)'");
    private static final Option EMULATED =
            Option.valued('e', "emulated", "KINDS", "accepted emulations, such as contiguous");
    private static final Option NAME = Option.valued('n', "name", "NAME", "the buffer's name");
    private static final Option ALIGN = Option.valued('a', "align", "BYTES", "alignment, such as 64K");
    private static final Option READ_ONLY = Option.flag("read-only", "holders of a descriptor can only read");
    private static final Option NO_EXPORT = Option.flag("no-export", "the buffer cannot be exported");
    private static final Option ALL = Option.flag('a', "all", "all buffers");
    private static final Option WHOLE = Option.flag('a', "all", "the whole buffer, not only its content");
    private static final Option FORCE = Option.flag('f', "force", "replace an existing file");

    private static final Syntax ALLOC_SYNTAX = Syntax.of(
                    "alloc", "Allocates a buffer; the shell holds it until it is freed")
            .taking("SIZE", 1, 1)
            .with(HEAP, MASK, REQUIRING, EMULATED, NAME, ALIGN, READ_ONLY, NO_EXPORT, Option.JSON)
            .noting("SIZE is in bytes, or ends in K, M, G or T: dmaheap:alloc -h camera -n frame 8M");
    private static final Syntax LOAD_SYNTAX = Syntax.of(
                    "load", "Loads a file into a new buffer and verifies it by mapping and by descriptor")
            .taking("FILE", 1, 1)
            .with(HEAP, EMULATED, NAME, READ_ONLY, Option.JSON)
            .noting("The buffer has the file's name unless --name gives another.");
    private static final Syntax BUFFERS_SYNTAX =
            Syntax.of("buffers", "Lists the buffers that the shell holds").with(Option.JSON);
    private static final Syntax FREE_SYNTAX = Syntax.of("free", "Frees buffers that the shell holds")
            .taking("NAME...", 0, Integer.MAX_VALUE)
            .with(ALL)
            .noting("A NAME can be a pattern with * and ?, in quotes: dmaheap:free 'frame-*'\n"
                    + "If a NAME matches no buffer, the command frees nothing.");
    private static final Syntax SUM_SYNTAX = Syntax.of("sum", "Prints the SHA-256 of a buffer's content")
            .taking("NAME", 1, 1)
            .with(Option.JSON)
            .noting("The content of a loaded buffer has the length of its file. The content of a\n"
                    + "received buffer has the length that its sender stated.");
    private static final Syntax SAVE_SYNTAX = Syntax.of("save", "Writes a buffer's content into a file")
            .taking("NAME FILE", 2, 2)
            .with(WHOLE, FORCE)
            .noting("If writing fails, no partial file remains.");
    private static final Syntax FILL_SYNTAX = Syntax.of("fill", "Fills a buffer, or a part of it")
            .taking("NAME [BYTE]", 1, 2)
            .with(Filling.ZERO, Filling.RANDOM, Filling.PATTERN, Range.OFFSET, Range.LENGTH)
            .noting("BYTE is 0 to 255, or 0x0 to 0xff. A pattern starts at the offset.\n"
                    + "Put a pattern of digits in quotes: the shell reads it as a number otherwise.\n"
                    + "The content length that sum, save and share use does not change.");
    private static final Syntax HEXDUMP_SYNTAX = Syntax.of(
                    "hexdump", "Shows bytes of a buffer in the format of hexdump -C")
            .taking("NAME", 1, 1)
            .with(Range.OFFSET, Range.LENGTH)
            .noting("It shows " + FIRST_BYTES
                    + " bytes unless --length is given.\nA line * stands for lines that repeat the line before.");

    private final HeapBroker broker;
    private final NamedBuffers buffers;
    private final FileLoader loader;
    private final FileSaver saver = new FileSaver();

    /**
     * Creates the commands.
     *
     * @param broker the shell's view of it
     * @param buffers buffers that the shell holds
     */
    @Activate
    public BufferCommands(@Reference HeapBroker broker, @Reference NamedBuffers buffers) {
        this.broker = broker;
        this.buffers = buffers;
        this.loader = new FileLoader(broker);
    }

    @Override
    public List<Syntax> syntaxes() {
        return List.of(
                ALLOC_SYNTAX,
                LOAD_SYNTAX,
                BUFFERS_SYNTAX,
                FREE_SYNTAX,
                SUM_SYNTAX,
                SAVE_SYNTAX,
                FILL_SYNTAX,
                HEXDUMP_SYNTAX);
    }

    @Override
    public Optional<List<String>> values(String place) {
        return place.equals("NAME") ? Optional.of(buffers.names()) : Optional.empty();
    }

    @Descriptor("allocate a buffer; the shell holds it until it is freed")
    public void alloc(
            CommandSession session, @Descriptor("SIZE; dmaheap:alloc --help has the options") Object... words) {
        Command.run(session, ALLOC_SYNTAX, words, (line, out) -> {
            String own = line.value(NAME).orElseGet(buffers::freshName);
            buffers.requireFree(own);
            buffers.expectFrom(session);
            AllocationRequest request = request(line, Bytes.parse(line.argument(0)), own)
                    .withAlignment(Bytes.parse(line.value(ALIGN).orElse("1")));
            BufferInfo made;
            try (CtrlC _ = CtrlC.interrupting(session);
                    Progress _ =
                            Progress.saying(out, "allocating " + Bytes.text(request.size()) + "; Ctrl-C cancels")) {
                DmaBuf buffer = broker.allocate(request);
                made = buffers.keep(session, own, buffer, buffer.size());
            }
            if (line.has(Option.JSON)) {
                out.json(made.toMap());
            } else {
                out.print(made.addTo(new Facts()).toString());
            }
        });
    }

    /** Loads a file into a new buffer. Reads it back through the mapping and through an exported descriptor. */
    @Descriptor("load a file into a new buffer and verify it by mapping and by descriptor")
    public void load(CommandSession session, @Descriptor("FILE; dmaheap:load --help has the options") Object... words) {
        Command.run(session, LOAD_SYNTAX, words, (line, out) -> {
            Path file = file(session, line.argument(0));
            long bytes = FileLoader.sizeOf(file);
            String own = line.value(NAME).orElseGet(() -> nameOf(file));
            buffers.requireFree(own);
            buffers.expectFrom(session);
            AtomicLong loaded = new AtomicLong();
            BufferInfo made;
            String byMapping;
            String byDescriptor;
            try (CtrlC _ = CtrlC.interrupting(session);
                    Progress _ = Progress.following(out, () -> loading(loaded.get(), bytes))) {
                DmaBuf buffer = loader.load(file, request(line, bytes, own), loaded::set);
                boolean checked = false;
                try {
                    byMapping = FileLoader.sha256ByMapping(buffer, bytes);
                    byDescriptor = FileLoader.sha256ByDescriptor(buffer, bytes);
                    if (!byMapping.equals(byDescriptor)) {
                        throw new IOException("verifying " + file + " failed: SHA-256 is " + byMapping
                                + " through the mapping and " + byDescriptor
                                + " through the descriptor; the buffer is freed");
                    }
                    checked = true;
                } finally {
                    if (!checked) {
                        buffer.close();
                    }
                }
                made = buffers.keep(session, own, buffer, bytes);
            }
            if (line.has(Option.JSON)) {
                Map<String, Object> map = made.toMap();
                map.put("sha256Mapping", byMapping);
                map.put("sha256Descriptor", byDescriptor);
                out.json(map);
            } else {
                out.print(made.addTo(new Facts().addSize("file", bytes))
                        .addLine("sha-256", byMapping + "  (through the mapping)")
                        .addLine("sha-256", byDescriptor + "  (through an exported descriptor)")
                        .toString());
            }
        });
    }

    private static String loading(long loaded, long bytes) {
        String size = Bytes.text(bytes);
        return loaded == 0
                ? "allocating " + size + "; Ctrl-C cancels"
                : loaded < bytes ? "loading: " + (long) (100.0 * loaded / bytes) + " % of " + size : "checking " + size;
    }

    @Descriptor("list the buffers that the shell holds")
    public void buffers(
            CommandSession session, @Descriptor("options; dmaheap:buffers --help lists them") Object... words) {
        Command.run(session, BUFFERS_SYNTAX, words, (line, out) -> {
            List<BufferInfo> held = buffers.list();
            if (line.has(Option.JSON)) {
                out.json(held.stream().map(BufferInfo::toMap).toList());
            } else if (!held.isEmpty()) {
                out.print(BufferInfo.table(held));
            }
        });
    }

    @Descriptor("free buffers that the shell holds")
    public void free(
            CommandSession session, @Descriptor("NAME...; dmaheap:free --help has the options") Object... words) {
        Command.run(session, FREE_SYNTAX, words, (line, out) -> {
            if (line.has(ALL) != line.arguments().isEmpty()) {
                throw new IllegalArgumentException(
                        (line.has(ALL) ? "give names or --all, not both; " : "") + FREE_SYNTAX.usage());
            }
            if (line.has(ALL)) {
                buffers.freeAll();
            } else {
                buffers.free(line.arguments());
            }
        });
    }

    @Descriptor("print the SHA-256 of a buffer's content")
    public void sum(CommandSession session, @Descriptor("NAME; dmaheap:sum --help has the options") Object... words) {
        Command.run(session, SUM_SYNTAX, words, (line, out) -> {
            String name = line.argument(0);
            try (HeldBuffer held = buffers.borrow(name);
                    CtrlC _ = CtrlC.interrupting(session)) {
                String sha256 = FileLoader.sha256ByMapping(held.buffer(), held.content());
                if (line.has(Option.JSON)) {
                    Map<String, Object> map = new LinkedHashMap<>();
                    map.put("name", name);
                    map.put("content", held.content());
                    map.put("sha256", sha256);
                    out.json(map);
                } else {
                    out.print(sha256 + "  " + Printable.of(name));
                }
            }
        });
    }

    @Descriptor("write a buffer's content into a file")
    public void save(
            CommandSession session, @Descriptor("NAME FILE; dmaheap:save --help has the options") Object... words) {
        Command.run(session, SAVE_SYNTAX, words, (line, out) -> {
            Path file = file(session, line.argument(1));
            try (HeldBuffer held = buffers.borrow(line.argument(0));
                    CtrlC _ = CtrlC.interrupting(session);
                    Progress _ =
                            Progress.saying(out, "saving to " + Printable.of(file.toString()) + "; Ctrl-C cancels");
                    Arena arena = Arena.ofConfined();
                    CpuAccess _ = held.buffer().beginCpuAccess(Access.READ)) {
                long bytes = line.has(WHOLE) ? held.buffer().size() : held.content();
                saver.save(held.buffer().map(Access.READ, arena).asSlice(0, bytes), file, line.has(FORCE));
            }
        });
    }

    @Descriptor("fill a buffer or a part of it with a byte, a pattern, or random bytes")
    public void fill(
            CommandSession session, @Descriptor("NAME [BYTE]; dmaheap:fill --help has the options") Object... words) {
        Command.run(session, FILL_SYNTAX, words, (line, out) -> {
            Filling filling = Filling.of(line);
            try (HeldBuffer held = buffers.borrow(line.argument(0));
                    CtrlC _ = CtrlC.interrupting(session);
                    Progress _ = Progress.saying(out, "filling; Ctrl-C ends it");
                    Arena arena = Arena.ofConfined();
                    CpuAccess _ = held.buffer().beginCpuAccess(Access.WRITE)) {
                long size = held.buffer().size();
                Range range = Range.of(line, size, size);
                MemorySegment memory = held.buffer().map(Access.READ_WRITE, arena);
                filling.into(memory.asSlice(range.offset(), range.length()));
            } catch (InterruptedException e) {
                throw new CommandFailure(FILL_SYNTAX.command() + " was interrupted; " + e.getMessage(), e);
            }
        });
    }

    @Descriptor("show bytes of a buffer in hexadecimal and as text")
    public void hexdump(
            CommandSession session, @Descriptor("NAME; dmaheap:hexdump --help has the options") Object... words) {
        Command.run(session, HEXDUMP_SYNTAX, words, (line, out) -> {
            try (HeldBuffer held = buffers.borrow(line.argument(0));
                    CtrlC _ = CtrlC.interrupting(session);
                    Arena arena = Arena.ofConfined();
                    CpuAccess _ = held.buffer().beginCpuAccess(Access.READ)) {
                Range range = Range.of(line, held.buffer().size(), FIRST_BYTES);
                MemorySegment memory = held.buffer().map(Access.READ, arena);
                HexDump.of(memory.asSlice(range.offset(), range.length()), range.offset(), out::print);
            }
        });
    }

    private static AllocationRequest request(Line line, long bytes, String name) {
        if (line.has(HEAP) && line.has(MASK)) {
            throw new IllegalArgumentException("give --heap or --mask, not both");
        }
        if (line.has(READ_ONLY) && line.has(NO_EXPORT)) {
            throw new IllegalArgumentException("give --read-only or --no-export, not both");
        }
        AllocationRequest request = AllocationRequest.of(bytes)
                .withName(name)
                .withExport(
                        line.has(NO_EXPORT)
                                ? ExportMode.NONE
                                : line.has(READ_ONLY) ? ExportMode.READ_ONLY : ExportMode.READ_WRITE);
        if (line.has(MASK)) {
            request = request.withMask(Numbers.mask(line.value(MASK).orElseThrow()));
        }
        if (line.has(HEAP)) {
            request = request.withHeaps(line.value(HEAP).orElseThrow().split(","));
        }
        if (line.has(REQUIRING)) {
            request = request.withRequirement(line.value(REQUIRING).orElseThrow());
        }
        return line.has(EMULATED)
                ? request.withEmulations(line.value(EMULATED).orElseThrow().split(","))
                : request;
    }

    /** A Path drops a trailing slash, which marks a folder. */
    private static Path file(CommandSession session, String path) {
        if (path.isEmpty() || path.endsWith("/")) {
            throw new IllegalArgumentException("invalid FILE = '" + path + "': expected the path of a file");
        }
        return session.currentDir().resolve(path);
    }

    private static String nameOf(Path file) {
        String name = file.getFileName().toString();
        while (name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES) {
            name = name.substring(0, name.offsetByCodePoints(name.length(), -1));
        }
        return name;
    }
}
