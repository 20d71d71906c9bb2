// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Function;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.shell.oci.Listener;
import org.dmabuf.heap.shell.oci.OciProfile;
import org.osgi.service.component.annotations.Component;

/**
 * Shell command {@code dmaheap:oci-profile} for containers whose programs allocate from heaps. It is a function of
 * Gogo, because no method can have the name.
 */
@Component(
        service = {OciCommand.class, CommandSet.class},
        property = {"osgi.command.scope=dmaheap", "osgi.command.function=oci-profile"})
public final class OciCommand implements CommandSet, Function {
    private static final String USUAL_SOCKET = "/run/dmaheap-agent/oci.socket";
    private static final String USUAL_NODE = "/dev/dma_heap/system";
    /** Docker's default profile has 20 KiB. */
    private static final long LONGEST_INPUT = 4 << 20;

    private static final Option SOCKET = Option.valued('s', "socket", "PATH", "of the agent; default " + USUAL_SOCKET);
    private static final Option METADATA =
            Option.valued('m', "metadata", "NAME", "the client is container:NAME; default its id");
    private static final Option NODES = Option.valued('n', "nodes", "PATH,...", "nodes; default " + USUAL_NODE);
    private static final Option OUT = Option.valued('o', "out", "FILE", "write a file instead of printing");
    private static final Option FORCE = Option.flag('f', "force", "replace an existing file");

    private static final Syntax PROFILE = Syntax.of(
                    "oci-profile", "Changes a container's settings so that its programs allocate from heaps")
            .taking("FILE", 1, 1)
            .with(SOCKET, METADATA, NODES, OUT, FORCE)
            .noting("FILE is a config.json of runc, or a seccomp profile, also in Docker's form.\n"
                    + "Only a config.json gets nodes. Docker makes one with\n"
                    + "--device /dev/null:" + USUAL_NODE);

    private final FileSaver saver = new FileSaver();

    @Override
    public List<Syntax> syntaxes() {
        return List.of(PROFILE);
    }

    /**
     * Changes a container's settings.
     *
     * @param session session in which the command was typed
     * @param words words after the command
     * @return null
     */
    @Override
    public Object execute(CommandSession session, List<Object> words) {
        Command.run(session, PROFILE, words.toArray(), (line, out) -> {
            if (line.has(FORCE) && !line.has(OUT)) {
                throw new IllegalArgumentException("give --force only with --out; " + PROFILE.usage());
            }
            Path file = session.currentDir().resolve(line.argument(0));
            Listener listener = new Listener(
                    line.value(SOCKET).orElse(USUAL_SOCKET),
                    line.value(METADATA),
                    List.of(line.value(NODES).orElse(USUAL_NODE).split(",", -1)));
            String changed = OciProfile.parse(file.toString(), read(file))
                    .withListener(listener)
                    .toString();
            if (line.has(OUT)) {
                byte[] bytes = (changed + "\n").getBytes(StandardCharsets.UTF_8);
                Path target = session.currentDir().resolve(line.value(OUT).orElseThrow());
                saver.save(MemorySegment.ofArray(bytes), target, line.has(FORCE));
            } else {
                // JSON has the same escapes for invisible characters, which occur only in its strings.
                out.print(changed.lines().map(Printable::of).collect(Collectors.joining("\n")));
            }
        });
        return null;
    }

    private static String read(Path file) throws IOException {
        long size = FileLoader.sizeOf(file);
        if (size > LONGEST_INPUT) {
            throw new IOException(
                    "invalid " + file + ": expected at most " + LONGEST_INPUT + " bytes, but it has " + size);
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new IOException("invalid " + file + ": expected text in UTF-8", e);
        }
    }
}
