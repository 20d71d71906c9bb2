// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;

import java.io.InputStream;
import java.net.URL;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import javax.inject.Inject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.ops4j.pax.exam.Configuration;
import org.ops4j.pax.exam.Option;
import org.ops4j.pax.exam.junit.PaxExam;
import org.ops4j.pax.exam.spi.reactors.ExamReactorStrategy;
import org.ops4j.pax.exam.spi.reactors.PerClass;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;

/** Test that the other tests run exactly the distributed files. */
@RunWith(PaxExam.class)
@ExamReactorStrategy(PerClass.class)
public class DistributionIT {
    @Inject
    private BundleContext context;

    @Configuration
    public Option[] container() {
        return new Option[] {Gateway.options()};
    }

    @Test
    public void every_bundle_of_the_container_is_byte_for_byte_the_distributed_one() throws Exception {
        Framework framework = new Framework(context);
        List<Path> files = Gateway.bundleFiles();
        assertEquals("bundles of the gateway without its terminal", 19, files.size());
        for (Path file : files) {
            try (JarFile jar = new JarFile(file.toFile())) {
                String name = jar.getManifest().getMainAttributes().getValue(Constants.BUNDLE_SYMBOLICNAME);
                Bundle bundle = framework.bundle(name.split(";")[0]);
                assertEquals(name, Bundle.ACTIVE, bundle.getState());
                for (JarEntry entry : Collections.list(jar.entries())) {
                    if (!entry.isDirectory()) {
                        assertArrayEquals(file + "!" + entry, bytes(jar, entry), bytes(bundle, entry.getName()));
                    }
                }
            }
        }
    }

    @Test
    public void it_serves_without_changes() {
        assertEquals(
                List.of("system SERVING", "carveout SERVING", "cma SERVING", "secure SERVING"),
                new Framework(context)
                        .broker().heaps().stream()
                                .map(heap -> heap.name() + " " + heap.state().name())
                                .toList());
    }

    private static byte[] bytes(JarFile jar, JarEntry entry) throws Exception {
        try (InputStream in = jar.getInputStream(entry)) {
            return in.readAllBytes();
        }
    }

    private static byte[] bytes(Bundle bundle, String name) throws Exception {
        URL url = bundle.getEntry(name);
        assertNotNull(name, url);
        try (InputStream in = url.openStream()) {
            return in.readAllBytes();
        }
    }
}
