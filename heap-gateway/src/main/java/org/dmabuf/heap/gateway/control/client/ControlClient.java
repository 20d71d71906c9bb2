// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.ConnectException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dmabuf.heap.gateway.control.wire.Frame;
import org.dmabuf.heap.gateway.control.wire.Request;
import org.dmabuf.heap.gateway.control.wire.SocketPlace;
import org.dmabuf.heap.gateway.control.wire.SocketPlaces;
import org.dmabuf.heap.gateway.control.wire.User;

/** Client of a running gateway. Each method returns the exit status of the calling process. */
public final class ControlClient {
    /** Exit status: no gateway runs. */
    public static final int NOT_RUNNING = 3;

    /** Exit status: a gateway runs, but does not answer or refuses this user. */
    public static final int NO_ANSWER = 4;

    private static final int FAILED = 1;

    /** Exit status after leaving by Ctrl-\, as after SIGQUIT. */
    private static final int LEFT = 131;

    /** Time limit for a status; the gateway bounds its own waits. */
    private static final Duration STATUS_PATIENCE = Duration.ofSeconds(10);

    private final SocketPlaces places;
    private final InputStream in;
    private final OutputStream out;
    private final OutputStream err;
    private final PrintStream messages;

    /**
     * Creates a client.
     *
     * @param setting path of the socket; blank for the default places
     * @param in standard input
     * @param out standard output
     * @param err standard error
     */
    public ControlClient(String setting, InputStream in, OutputStream out, OutputStream err) throws IOException {
        this.places = SocketPlaces.ofThisProcess(setting);
        this.in = in;
        this.out = out;
        this.err = err;
        this.messages = new PrintStream(err, true);
    }

    /** Prints the state of the gateway. */
    public int status(boolean json) {
        Request request = Request.of(Request.Verb.STATUS, json ? "json" : "");
        return converse(request, NO_ANSWER, conversation -> {
            try (Deadline _ = new Deadline(conversation.channel(), STATUS_PATIENCE)) {
                return receive(conversation, frame -> {});
            }
        });
    }

    /** Runs a command line in the gateway. */
    public int command(String line) {
        return run(Request.of(Request.Verb.COMMAND, line));
    }

    /** Runs the lines of standard input in the gateway, up to the first that fails. */
    public int script() throws IOException {
        byte[] text = in.readNBytes(Frame.MAX_PAYLOAD + 1); // one byte more than the limit
        return run(Request.of(Request.Verb.SCRIPT, new String(text, StandardCharsets.UTF_8)));
    }

    private int run(Request request) {
        return converse(request, FAILED, conversation -> {
            InputForwarder input = new InputForwarder(in, conversation);
            return receive(conversation, input::grant);
        });
    }

    /** Opens a shell of the gateway on the terminal of this process. */
    public int shell() {
        try (RawTerminal terminal = RawTerminal.open()) {
            Request request = new Request(
                    Request.Verb.SHELL,
                    Optional.ofNullable(System.getenv("TERM")).orElse("dumb"),
                    terminal.charset(),
                    terminal.columns(),
                    terminal.rows(),
                    "");
            return converse(request, FAILED, conversation -> {
                terminal.makeRaw();
                terminal.onResize(
                        () -> conversation.send(Frame.of(Frame.Type.SIZE, terminal.columns(), terminal.rows())));
                KeyForwarder keys = new KeyForwarder(in, conversation);
                try {
                    return receive(conversation, keys::grant);
                } catch (IOException e) {
                    if (keys.left()) {
                        return LEFT;
                    }
                    throw e;
                } finally {
                    terminal.restore();
                }
            });
        } catch (IOException e) {
            messages.println(e.getMessage());
            return FAILED;
        }
    }

    @FunctionalInterface
    private interface Talk {
        int with(Conversation conversation) throws IOException;
    }

    @FunctionalInterface
    private interface Grant {
        void more(int bytes);
    }

    private int converse(Request request, int lost, Talk talk) {
        Optional<SocketPlace> place;
        try {
            place = place();
        } catch (IOException e) {
            messages.println(e.getMessage());
            return NO_ANSWER;
        }
        if (place.isEmpty()) {
            messages.println(notRunning());
            return NOT_RUNNING;
        }
        try (Conversation conversation = Conversation.open(place.get(), request)) {
            return talk.with(conversation);
        } catch (ConnectException e) {
            if (!Files.isWritable(place.get().path())) {
                return mayNot(place.get());
            }
            messages.println("no gateway runs on " + place.get().path() + ": " + whyRefused(place.get()));
            return NOT_RUNNING;
        } catch (Conversation.RefusedException e) {
            messages.println(e.getMessage());
            return NO_ANSWER;
        } catch (ClosedChannelException e) {
            messages.println("the gateway on " + place.get().path() + " did not answer in time");
            return NO_ANSWER;
        } catch (UnwrittenException e) {
            return 0; // the process that reads the output knows that it closed it
        } catch (IOException e) {
            if ((place.get().exists() || place.get().isHidden())
                    && !Files.isWritable(place.get().path())) {
                return mayNot(place.get());
            }
            messages.println(e.getMessage());
            return e instanceof Conversation.SilentException ? NO_ANSWER : lost;
        }
    }

    private int mayNot(SocketPlace place) {
        messages.println("access to the gateway on " + place.path() + " is denied: " + owner(place));
        return NO_ANSWER;
    }

    private static String owner(SocketPlace place) {
        try {
            return "the socket belongs to user " + Files.getOwner(place.path()).getName()
                    + "; run as that user or root";
        } catch (IOException e) {
            return "its folder is closed to this user; run as the gateway's user or root";
        }
    }

    private static String whyRefused(SocketPlace place) {
        try {
            return place.isSocket() ? "it has ended without removing its socket" : "the file is not a socket";
        } catch (IOException e) {
            return "its socket has just been removed";
        }
    }

    /** Returns the first place that has a file. A folder in which another user could have put it is not trusted. */
    private Optional<SocketPlace> place() throws IOException {
        for (SocketPlace place : places.toAsk()) {
            if (place.exists()) {
                if (place.ownFolder()) {
                    requireTrusted(place);
                }
                return Optional.of(place);
            }
        }
        return places.toAsk().stream().filter(SocketPlace::isHidden).findFirst();
    }

    private static void requireTrusted(SocketPlace place) throws IOException {
        try {
            place.requireTrustedFolder(User.own());
        } catch (FileSystemException e) {
            throw new IOException("the socket in " + e.getFile() + " is not trusted: " + e.getReason(), e);
        }
    }

    private String notRunning() {
        String looked =
                places.toAsk().stream().map(place -> place.path().toString()).collect(Collectors.joining(", "));
        return looked.isEmpty()
                ? "no gateway has a control socket: " + SocketPlaces.SETTING + " = " + SocketPlaces.NOWHERE
                : "no gateway runs: no socket at " + looked + "; start one with 'gateway' or 'gateway --daemon'";
    }

    private int receive(Conversation conversation, Grant input) throws IOException {
        for (Optional<Frame> next = conversation.read(); next.isPresent(); next = conversation.read()) {
            Frame frame = next.get();
            switch (frame.type()) {
                case OUTPUT -> write(out, frame);
                case ERROR -> write(err, frame);
                case WINDOW -> input.more(frame.numbers(1)[0]);
                case EXIT -> {
                    return frame.numbers(1)[0];
                }
                case REFUSAL -> throw new Conversation.RefusedException(frame.text());
                default -> {
                    // a frame type of a newer gateway
                }
            }
        }
        throw new IOException("the gateway or this session has ended");
    }

    private static void write(OutputStream to, Frame frame) throws UnwrittenException {
        try {
            to.write(frame.payload());
            to.flush();
        } catch (IOException e) {
            throw new UnwrittenException(e);
        }
    }

    /** Failure to write this process's output: its reader is gone, or its disk is full. */
    private static final class UnwrittenException extends IOException {
        private static final long serialVersionUID = 1L;

        UnwrittenException(IOException cause) {
            super(cause);
        }
    }
}
