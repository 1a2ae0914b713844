//! What a program was built for, and what runs it.

use std::fmt;

/// Operating system, architecture and its variant, in the words that images use; empty where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: String,
}

impl Platform {
    /// A platform in any spelling: an image says `arm64`, an engine may say `aarch64` like its kernel.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, implied) = match architecture.to_lowercase().as_str() {
            "x86_64" | "x86-64" => ("amd64".to_owned(), ""),
            "i386" | "i486" | "i586" | "i686" => ("386".to_owned(), ""),
            "aarch64" => ("arm64".to_owned(), ""),
            "armv6l" | "armel" => ("arm".to_owned(), "v6"),
            // A 64-bit core in 32-bit mode calls itself v8 and runs what v7 does.
            "armv7l" | "armv8l" | "armhf" => ("arm".to_owned(), "v7"),
            other => (other.to_owned(), ""),
        };
        let variant = match variant.to_lowercase() {
            said if said.is_empty() => implied.to_owned(),
            said => said,
        };
        Self {
            os: os.to_lowercase(),
            architecture,
            variant,
        }
    }

    /// Whether a machine of this platform runs what was built for `image`. What is not said is no obstacle.
    ///
    /// 64-bit kernels run 32-bit programs, and on such a kernel an engine tells the kernel's architecture even where
    /// everything else is 32-bit (Raspberry Pi). Of variants only those of 32-bit ARM matter; v7 runs v6.
    #[must_use]
    pub fn runs(&self, image: &Self) -> bool {
        let same = |own: &str, asked: &str| own.is_empty() || asked.is_empty() || own == asked;
        let pair = (self.architecture.as_str(), image.architecture.as_str());
        let older = self.architecture != "arm"
            || self.variant.is_empty()
            || image.variant.is_empty()
            || image.variant <= self.variant;
        same(&self.os, &image.os)
            && (matches!(pair, ("amd64", "386") | ("arm64", "arm"))
                || same(pair.0, pair.1) && older)
    }
}

impl fmt::Display for Platform {
    /// `linux/arm/v7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.variant)
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_machine_runs_its_own_images_and_the_32_bit_ones_of_its_family_in_any_spelling() {
        let cases = [
            ("x86_64", ("amd64", ""), true),
            ("amd64", ("amd64", ""), true),
            ("aarch64", ("arm64", "v8"), true),
            ("x86_64", ("386", ""), true),
            ("aarch64", ("arm", "v7"), true),
            ("armv7l", ("arm", "v7"), true),
            ("armv7l", ("arm", "v6"), true),
            ("armv8l", ("arm", "v7"), true),
            ("armv7l", ("arm", ""), true),
            ("riscv64", ("riscv64", ""), true),
            ("x86_64", ("", ""), true),
            ("", ("arm64", ""), true),
            ("armv6l", ("arm", "v7"), false),
            ("armv7l", ("arm64", "v8"), false),
            ("i686", ("amd64", ""), false),
            ("x86_64", ("arm64", ""), false),
            ("x86_64", ("s390x", ""), false),
        ];
        for (machine, (architecture, variant), runs) in cases {
            let own = Platform::new("linux", machine, "");
            let image = Platform::new("linux", architecture, variant);
            assert_eq!(own.runs(&image), runs, "{own} and {image}");
        }
        let windows = Platform::new("windows", "amd64", "");
        assert!(!Platform::new("linux", "x86_64", "").runs(&windows));
    }

    #[test]
    fn a_platform_is_shown_as_images_name_it() {
        let shown = |machine| Platform::new("Linux", machine, "").to_string();
        assert_eq!(shown("armv7l"), "linux/arm/v7");
        assert_eq!(shown("x86_64"), "linux/amd64");
    }
}
