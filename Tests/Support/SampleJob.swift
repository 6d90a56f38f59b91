/// Jobs on the sample checkpoint that, together, run every stage.
public enum SampleJob: String, CaseIterable, Sendable {
    case plain
    /// Encoders wait for statistics, which groups of chunks add to; in the end the artifacts are judged.
    case measured
    /// Folders of safetensors beside a GGUF.
    case compressed
    /// Numbers and blocks that hang on what other items find out: statistics, factors, largest weights.
    case found
    /// Types that hang on what is measured: most of the job is planned while it runs.
    case chosen

    /// Of `quern submit` and `quern quantize`, beside the source.
    public var arguments: [String] {
        switch self {
        case .plain: ["--to", "Q4_K_M,Q8_0,Q3_K_L,Q6_K,F16"]
        case .measured:
            [
                "--to", "Q4_K_M,IQ2_M", "--calibration", Fixtures.sample + "/calibration.txt",
                "--calibration-chunks", "20", "--chunk-tokens", "512",
                "--evaluation", Fixtures.sample + "/evaluation.txt", "--evaluation-chunks", "10",
            ]
        case .found:
            [
                "--to",
                "W4A16_GPTQ,W4A16_ASYM_IMATRIX,W4A16_G64_AWQ_GPTQ,W8A8_SMOOTHQUANT,NVFP4,Q4_K_M,GPTQ_INT4_GPTQ",
                "--encoder", "refined", "--calibration", Fixtures.sample + "/calibration.txt", "--calibration-chunks",
                "16",
            ]
        case .chosen:
            [
                "--to", "Q3_K_M:dynamic,W4A16_GPTQ:bpw:9", "--calibration", Fixtures.sample + "/calibration.txt",
                "--calibration-chunks", "10",
            ]
        case .compressed:
            [
                "--to", "W4A16,Q4_K_M,FP8_BLOCK,AWQ_GEMM,GPTQ_INT8,BNB_NF4,W4A16_ASYM_G64,W8A8", "--split-max-size",
                "1MB",
            ]
        }
    }
}
