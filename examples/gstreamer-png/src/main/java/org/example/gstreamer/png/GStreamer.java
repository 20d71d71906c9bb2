// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;

/**
 * Linker of the GStreamer functions that this example calls. Each method is one C function, whose documentation states
 * the ownership of its arguments and result. Strings and errors are converted to Java.
 *
 * <p>In the product only heap-linux makes native calls, and these are only system calls. A bundle that uses a media
 * library links it itself, as this example does. Java must be started with {@code --enable-native-access}, as the
 * gateway is.
 */
@SuppressWarnings("restricted") // this class links native functions
final class GStreamer {
    static final int STATE_NULL = 1;
    static final int STATE_PLAYING = 4;
    static final int STATE_CHANGE_FAILURE = 0;
    static final int FLOW_OK = 0;
    static final int MESSAGE_EOS = 0x1;
    static final int MESSAGE_ERROR = 0x2;
    /** Every sink has got its first buffer. */
    static final int MESSAGE_ASYNC_DONE = 0x200000;

    /** No flags: GStreamer closes the descriptor with the last reference to the memory. */
    static final int FD_MEMORY_FLAG_NONE = 0x0;

    private static final int PARSE_FLAG_FATAL_ERRORS = 0x1; // returns no partial pipeline after an error

    private static final long MESSAGE_TYPE = 64; // offset of type in GstMessage, after its GstMiniObject
    private static final long ERROR_MESSAGE = 8; // offset of message in GError

    private static final List<String> LIBRARIES =
            List.of("libgstreamer-1.0.so.0", "libgstallocators-1.0.so.0", "libgstapp-1.0.so.0");

    private static final Linker LINKER = Linker.nativeLinker();

    private final MethodHandle parseLaunch;
    private final MethodHandle binGetByName;
    private final MethodHandle setObjectArg;
    private final MethodHandle elementSetState;
    private final MethodHandle elementGetBus;
    private final MethodHandle busTimedPop;
    private final MethodHandle messageParseError;
    private final MethodHandle bufferNew;
    private final MethodHandle bufferAppendMemory;
    private final MethodHandle objectUnref;
    private final MethodHandle miniObjectUnref;
    private final MethodHandle fdAllocatorNew;
    private final MethodHandle fdAllocatorAlloc;
    private final MethodHandle dmabufAllocatorNew;
    private final MethodHandle dmabufAllocatorAlloc;
    private final MethodHandle appSrcPushBuffer;
    private final MethodHandle appSrcEndOfStream;
    private final MethodHandle errorFree;
    private final MethodHandle free;

    private GStreamer(SymbolLookup libraries) {
        parseLaunch = link(
                libraries,
                "gst_parse_launch_full",
                FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS));
        binGetByName = link(libraries, "gst_bin_get_by_name", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
        setObjectArg = link(libraries, "gst_util_set_object_arg", FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS));
        elementSetState = link(libraries, "gst_element_set_state", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
        elementGetBus = link(libraries, "gst_element_get_bus", FunctionDescriptor.of(ADDRESS, ADDRESS));
        busTimedPop = link(
                libraries, "gst_bus_timed_pop_filtered", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT));
        messageParseError =
                link(libraries, "gst_message_parse_error", FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS));
        bufferNew = link(libraries, "gst_buffer_new", FunctionDescriptor.of(ADDRESS));
        bufferAppendMemory = link(libraries, "gst_buffer_append_memory", FunctionDescriptor.ofVoid(ADDRESS, ADDRESS));
        objectUnref = link(libraries, "gst_object_unref", FunctionDescriptor.ofVoid(ADDRESS));
        miniObjectUnref = link(libraries, "gst_mini_object_unref", FunctionDescriptor.ofVoid(ADDRESS));

        FunctionDescriptor alloc = FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_LONG, JAVA_INT);
        fdAllocatorNew = link(libraries, "gst_fd_allocator_new", FunctionDescriptor.of(ADDRESS));
        fdAllocatorAlloc = link(libraries, "gst_fd_allocator_alloc", alloc);
        dmabufAllocatorNew = link(libraries, "gst_dmabuf_allocator_new", FunctionDescriptor.of(ADDRESS));
        dmabufAllocatorAlloc = link(libraries, "gst_dmabuf_allocator_alloc_with_flags", alloc);

        appSrcPushBuffer =
                link(libraries, "gst_app_src_push_buffer", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        appSrcEndOfStream = link(libraries, "gst_app_src_end_of_stream", FunctionDescriptor.of(JAVA_INT, ADDRESS));

        // functions of GLib, which is found through the libraries that depend on it
        errorFree = link(libraries, "g_error_free", FunctionDescriptor.ofVoid(ADDRESS));
        free = link(libraries, "g_free", FunctionDescriptor.ofVoid(ADDRESS));
    }

    /**
     * Loads GStreamer into this process and initialises it, unless it is already initialised. It is never unloaded,
     * because it cannot be initialised a second time.
     *
     * @throws GStreamerException when it is not installed
     */
    static GStreamer load() {
        return load(LIBRARIES);
    }

    static GStreamer load(List<String> names) {
        SymbolLookup libraries = _ -> Optional.empty();
        for (String name : names) {
            try {
                libraries = libraries.or(SymbolLookup.libraryLookup(name, Arena.global()));
            } catch (IllegalArgumentException e) {
                throw GStreamerException.notInstalled(name + " is missing", e);
            }
        }
        GStreamer gst = new GStreamer(libraries);
        gst.initialise(libraries);
        return gst;
    }

    /**
     * Initialises GStreamer. The first call is essential: otherwise GStreamer replaces the handler of SIGSEGV while it
     * loads a plugin, and Java needs that signal. It uses gst_init_check, because gst_init would end the process on a
     * failure.
     */
    private void initialise(SymbolLookup libraries) {
        MethodHandle segtrap = link(libraries, "gst_segtrap_set_enabled", FunctionDescriptor.ofVoid(JAVA_INT));
        MethodHandle init =
                link(libraries, "gst_init_check", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment error = arena.allocate(ADDRESS);
            int done = call(() -> {
                segtrap.invokeExact(0);
                return (int) init.invokeExact(MemorySegment.NULL, MemorySegment.NULL, error);
            });
            if (done == 0) {
                throw new GStreamerException("starting GStreamer failed: " + take(error.get(ADDRESS, 0)));
            }
        }
    }

    /**
     * gst_parse_launch_full.
     *
     * @return a pipeline that the caller owns
     * @throws GStreamerException when an element is missing
     */
    MemorySegment parseLaunch(String description) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(description);
            MemorySegment error = arena.allocate(ADDRESS);
            MemorySegment pipeline = call(() ->
                    (MemorySegment) parseLaunch.invokeExact(text, MemorySegment.NULL, PARSE_FLAG_FATAL_ERRORS, error));
            if (isNull(pipeline)) {
                throw GStreamerException.notInstalled(take(error.get(ADDRESS, 0)), null);
            }
            return pipeline;
        }
    }

    /** {@return gst_bin_get_by_name: an element, with a reference that the caller must release} */
    MemorySegment binGetByName(MemorySegment bin, String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            return call(() -> (MemorySegment) binGetByName.invokeExact(bin, text));
        }
    }

    /** gst_util_set_object_arg: sets a property from a text, without the quoting of a pipeline description. */
    void setObjectArg(MemorySegment object, String name, String value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment property = arena.allocateFrom(name);
            MemorySegment text = arena.allocateFrom(value);
            call(() -> {
                setObjectArg.invokeExact(object, property, text);
                return null;
            });
        }
    }

    int elementSetState(MemorySegment element, int state) {
        return call(() -> (int) elementSetState.invokeExact(element, state));
    }

    MemorySegment elementGetBus(MemorySegment element) {
        return call(() -> (MemorySegment) elementGetBus.invokeExact(element));
    }

    /** {@return gst_bus_timed_pop_filtered: a message that the caller owns, NULL after the timeout} */
    MemorySegment busTimedPop(MemorySegment bus, long nanoseconds, int types) {
        return call(() -> (MemorySegment) busTimedPop.invokeExact(bus, nanoseconds, types));
    }

    int messageType(MemorySegment message) {
        return message.reinterpret(MESSAGE_TYPE + Integer.BYTES).get(JAVA_INT, MESSAGE_TYPE);
    }

    /** {@return the text of a message of type MESSAGE_ERROR} */
    String messageParseError(MemorySegment message) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment error = arena.allocate(ADDRESS);
            MemorySegment forProgrammers = arena.allocate(ADDRESS);
            call(() -> {
                messageParseError.invokeExact(message, error, forProgrammers);
                free.invokeExact(forProgrammers.get(ADDRESS, 0));
                return null;
            });
            return take(error.get(ADDRESS, 0));
        }
    }

    MemorySegment bufferNew() {
        return call(() -> (MemorySegment) bufferNew.invokeExact());
    }

    /** gst_buffer_append_memory: passes ownership of the memory to the buffer. */
    void bufferAppendMemory(MemorySegment buffer, MemorySegment memory) {
        call(() -> {
            bufferAppendMemory.invokeExact(buffer, memory);
            return null;
        });
    }

    /** gst_object_unref: for elements, the bus and allocators. */
    void objectUnref(MemorySegment object) {
        call(() -> {
            objectUnref.invokeExact(object);
            return null;
        });
    }

    /** gst_mini_object_unref: for messages. */
    void miniObjectUnref(MemorySegment object) {
        call(() -> {
            miniObjectUnref.invokeExact(object);
            return null;
        });
    }

    MemorySegment fdAllocatorNew() {
        return call(() -> (MemorySegment) fdAllocatorNew.invokeExact());
    }

    /** {@return a memory for a descriptor, which it then owns; NULL on a failure} */
    MemorySegment fdAllocatorAlloc(MemorySegment allocator, int fd, long size, int flags) {
        return call(() -> (MemorySegment) fdAllocatorAlloc.invokeExact(allocator, fd, size, flags));
    }

    MemorySegment dmabufAllocatorNew() {
        return call(() -> (MemorySegment) dmabufAllocatorNew.invokeExact());
    }

    /** {@return a memory for a dma-buf, which elements may pass to a device} */
    MemorySegment dmabufAllocatorAlloc(MemorySegment allocator, int fd, long size, int flags) {
        return call(() -> (MemorySegment) dmabufAllocatorAlloc.invokeExact(allocator, fd, size, flags));
    }

    /** {@return gst_app_src_push_buffer: FLOW_OK or an error; the buffer is consumed in both cases} */
    int appSrcPushBuffer(MemorySegment source, MemorySegment buffer) {
        return call(() -> (int) appSrcPushBuffer.invokeExact(source, buffer));
    }

    int appSrcEndOfStream(MemorySegment source) {
        return call(() -> (int) appSrcEndOfStream.invokeExact(source));
    }

    static boolean isNull(MemorySegment pointer) {
        return pointer.equals(MemorySegment.NULL);
    }

    /** Reads a GError and frees it. */
    private String take(MemorySegment error) {
        String message = error.reinterpret(ERROR_MESSAGE + ADDRESS.byteSize())
                .get(ADDRESS, ERROR_MESSAGE)
                .reinterpret(Long.MAX_VALUE)
                .getString(0);
        call(() -> {
            errorFree.invokeExact(error);
            return null;
        });
        return message;
    }

    private static MethodHandle link(SymbolLookup libraries, String function, FunctionDescriptor type) {
        try {
            return LINKER.downcallHandle(libraries.findOrThrow(function), type);
        } catch (NoSuchElementException e) {
            throw new GStreamerException("this GStreamer has no " + function + "; take 1.16 or later", e);
        }
    }

    /** A call through a handle, for which the compiler wants every Throwable handled. */
    @FunctionalInterface
    private interface Call<T> {
        T run() throws Throwable;
    }

    /** A handle that was linked with the right type does not throw. */
    private static <T> T call(Call<T> call) {
        try {
            return call.run();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
