// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.contract;

import aQute.bnd.differ.DiffPluginImpl;
import aQute.bnd.header.Attrs;
import aQute.bnd.header.OSGiHeader;
import aQute.bnd.osgi.Constants;
import aQute.bnd.osgi.Jar;
import aQute.bnd.service.diff.Tree;
import aQute.bnd.version.Version;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Packages that a bundle exports to all others, with their versions.
 *
 * @param api contents of the packages
 * @param versions of each
 */
record ExportedPackages(Tree api, Map<String, Version> versions) {
    /** Attribute of a package that is exported for one bundle of this project, without any promise of compatibility. */
    private static final String SCOPE = "scope";

    static ExportedPackages of(Path file) throws Exception {
        try (Jar jar = new Jar(file.toFile())) {
            Map<String, Version> versions = new TreeMap<>();
            for (Map.Entry<String, Attrs> clause : OSGiHeader.parseHeader(
                            jar.getManifest().getMainAttributes().getValue(Constants.EXPORT_PACKAGE))
                    .entrySet()) {
                if (!clause.getValue().containsKey(SCOPE)) {
                    versions.put(
                            clause.getKey(),
                            Version.parseVersion(clause.getValue().getVersion()));
                }
            }
            return new ExportedPackages(new DiffPluginImpl().tree(jar).get("<api>"), versions);
        }
    }
}
