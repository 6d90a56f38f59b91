import ArgumentParser
import Yams

@main struct Quern: ParsableCommand { func run() {} }
